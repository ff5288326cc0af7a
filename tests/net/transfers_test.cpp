#include "reel/net/transfers.h"

#include <gmock/gmock.h>

#include <set>

#include "receiver.h"

namespace reel::net {
namespace {

using namespace std::chrono_literals;

std::vector<Transfers::Outcome> all_of(Transfers& transfers) {
  std::vector<Transfers::Outcome> all;
  while (transfers.active() > 0) {
    for (auto& outcome : transfers.wait(1000ms)) all.push_back(std::move(outcome));
  }
  return all;
}

TEST(Transfers, SendManyAtOnce) {
  const test::Receiver receiver({200, 204, 302, 500});
  Transfers transfers({});
  for (uint64_t id = 0; id < 20; ++id) {
    transfers.begin(id, {receiver.url(), {"X-Number: " + std::to_string(id)}, "the body", false});
  }
  std::set<uint64_t> ids;
  std::multiset<int> statuses;
  for (const auto& outcome : all_of(transfers)) {
    ids.insert(outcome.id);
    statuses.insert(outcome.status);
  }
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_EQ(statuses.count(302), 1u) << "was followed";
  EXPECT_EQ(statuses.count(500), 17u);
  EXPECT_THAT(receiver.requests(), testing::Each(testing::EndsWith("\r\n\r\nthe body")));
}

TEST(Transfers, ConnectToPublicAddressesOnly) {
  const test::Receiver receiver;
  Transfers transfers({});
  std::string by_name = receiver.url();
  by_name.replace(by_name.find("127.0.0.1"), 9, "localhost");
  transfers.begin(1, {receiver.url(), {}, "", true});
  transfers.begin(2, {by_name, {}, "", true});
  for (const auto& outcome : all_of(transfers)) {
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.fault, "its address is not public");
  }
  transfers.begin(3, {receiver.url(), {}, "", false});
  EXPECT_EQ(all_of(transfers).at(0).status, 200) << "else the test shows nothing";
  EXPECT_EQ(receiver.requests().size(), 1u);
}

TEST(Transfers, EndWithTheirLimits) {
  const test::Receiver silent({0});
  Transfers transfers({.timeout_s = 0.05});
  transfers.begin(1, {silent.url(), {}, "", false});
  const auto outcome = all_of(transfers).at(0);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.fault, testing::HasSubstr("imeout"));
}

TEST(Transfers, AreWokenByAnotherThread) {
  Transfers transfers({});
  transfers.wake();
  EXPECT_TRUE(transfers.wait(60s).empty());
}

}  // namespace
}  // namespace reel::net
