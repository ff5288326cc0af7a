#include "form.h"

#include <gtest/gtest.h>

#include "reel/base/error.h"

namespace reel::http {
namespace {

using nlohmann::json;

Request request_of(const std::string& content_type, std::string_view body) {
  Request request;
  if (!content_type.empty()) request.headers = {{"content-type", content_type}};
  request.body.append(body);
  return request;
}

json fields_of(const std::string& content_type, std::string_view body) {
  return read_fields(request_of(content_type, body));
}

constexpr const char* kForm = "application/x-www-form-urlencoded";

TEST(Form, ReadsJsonHoweverItIsLabelled) {
  const json expected = {{"prompt", "a"}, {"seed", 1}};
  const std::string body = R"( {"prompt":"a","seed":1})";
  for (const char* type : {"application/json", "application/json; charset=utf-8", "", "text/plain",
                           kForm, "application/vnd.api+json", "Application/JSON"}) {
    EXPECT_EQ(fields_of(type, body), expected) << type;
  }
}

TEST(Form, ReadsUrlencoded) {
  EXPECT_EQ(fields_of(kForm, "prompt=a+b%26%C3%A9&n=2&x&=&&seed=1&seed=2&a%5Bb%5D=c&d[]=e"),
            json::parse(R"({"prompt":"a b&é","n":"2","x":"","":"","seed":["1","2"],
                            "a":{"b":"c"},"d":["e"]})"));
  const std::string large(100'000, 'x');  // cpp-httplib answers 413 over 8,192
  EXPECT_EQ(fields_of(kForm, "prompt=" + large)["prompt"], large);
}

TEST(Form, RefusesManyFieldsAlsoOfOneName) {
  std::string many = "prompt=a";
  for (int i = 0; i < 64; ++i) many += "&a=1";
  EXPECT_THROW(fields_of(kForm, many), Error);
}

TEST(Form, ReadsWhatAiperfSends) {
  const std::string body =
      "--b0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n"
      "--b0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Disposition: form-data; name=\"seed\"\r\n\r\n[1, 2]\r\n--b0--\r\n";
  EXPECT_EQ(fields_of("multipart/form-data; boundary=b0", body),
            json({{"prompt", "a cat"}, {"seed", "[1, 2]"}}));
}

TEST(Form, ReadsFilesAsDataUris) {
  const std::string body =
      "preamble\r\n--a b\r\ncontent-disposition: form-data; filename=\"x\\\"y.png\"; "
      "name=picture\r\n"
      "Content-Type: image/png\r\n\r\n\x89PNG\r\n--a\r\n\r\n--a b\r\n"
      "Content-Disposition: form-data; name=\"input_reference[image_url]\"\r\n\r\nu\r\n--a b\r\n"
      "Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n--a b--";
  EXPECT_EQ(fields_of("multipart/form-data; charset=x; boundary=\"a b\"", body),
            json({{"picture", "data:image/png;base64,iVBORw0KLS1hDQo="},
                  {"input_reference", {{"image_url", "u"}}},
                  {"none", ""}}));
}

TEST(Form, ReadsTextFilesAsText) {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"prompt\"; filename=\"p.txt\"\r\n"
      "Content-Type: text/plain\r\n\r\na cat\r\n--b--";
  EXPECT_EQ(fields_of("multipart/form-data; boundary=b", body), json({{"prompt", "a cat"}}));
}

TEST(Form, NamesTheFieldThatIsNoJson) {
  const auto fault = [](std::string_view body) {
    try {
      fields_of("application/json", body);
    } catch (const Error& error) {
      return error.param() + "|" + error.what();
    }
    return std::string("none");
  };
  EXPECT_EQ(fault(R"({"prompt":"a","seed":1e400})"),
            "seed|seed: expected JSON in UTF-8, got number overflow parsing '1e400'");
  EXPECT_EQ(fault("{\"prompt\":\"a\xff\"}").find("prompt|prompt: expected JSON in UTF-8, got"), 0);
  EXPECT_EQ(fault("{\"a\":1,\"b\":[2").find("b|b: expected"), 0);
  EXPECT_EQ(fault("{\"a\":1, b").find("|body: expected JSON"), 0);
  EXPECT_EQ(fault("").find("|body: expected JSON"), 0);
}

TEST(Form, RefusesWhatIsBroken) {
  const std::string part = "Content-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
  std::string many;
  for (int i = 0; i < 65; ++i) many += "--b\r\n" + part;
  std::string values = "{\"a\":[0";
  for (int i = 0; i < 100'000; ++i) values += ",0";
  const std::string multipart = "multipart/form-data; boundary=b";
  const std::pair<std::string, std::string> cases[] = {
      {"application/json", ""},
      {"application/json", "[]"},
      {"application/json", "{\"a\":1"},
      {"application/json", "{\"a\":\"\xff\"}"},
      {"application/json", "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}"},
      {"application/json", values + "]}"},
      {kForm, "a=%zz"},
      {kForm, "a=%f"},
      {kForm, "a=%ff"},
      {kForm, "a=1&a[b]=2"},
      {"multipart/form-data", "--b\r\n" + part + "--b--"},
      {"multipart/form-data; boundary=", "--b\r\n" + part + "--b--"},
      {"multipart/form-data; boundary=" + std::string(71, 'b'), "--b\r\n" + part + "--b--"},
      {multipart, part},
      {multipart, "--b\r\n" + part},
      {multipart, "--bx\r\n" + part + "--b--"},
      {multipart, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"},
      {multipart, "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b--"},
      {multipart, "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--"},
      {multipart, "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--"},
      {multipart, "--b\r\n\r\nx\r\n--b--"},
      {multipart, "--b\r\nX: " + std::string(9000, 'x') + "\r\n" + part + "--b--"},
      {multipart, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--b--"},
      {multipart, many + "--b--"},
  };
  for (const auto& [type, body] : cases) {
    try {
      fields_of(type, body);
      ADD_FAILURE() << type << ": " << body.substr(0, 100);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidArgument) << error.what();
    }
  }
  try {
    fields_of("application/xml", "<a/>");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Unsupported);
  }
}

}  // namespace
}  // namespace reel::http
