#pragma once

#include <string>

#include "message.h"
#include "reel/base/error.h"

namespace reel::http {

/// `{"error":{message,type,param,code},"detail":message}`: what the OpenAI SDKs read, and what
/// SGLang's clients do. Type and code follow from `status` when `code` is empty.
Reply error_reply(int status, const std::string& message, const std::string& param = {},
                  const std::string& code = {});

Reply error_reply(const Error& error);

}  // namespace reel::http
