#include "bitactor/l1_core/dispatch_table.h"

#include <gtest/gtest.h>

#include "bitactor/l1_core/engine.h"

namespace bitactor {
namespace {

const SignalHandler kNoop = [](const Signal&, Context&) {};

TEST(DispatchTableTest, KnowsWhatWasRegistered) {
  DispatchTable table(8);
  EXPECT_EQ(table.SetHandler(3, kNoop), RegisterResult::kOk);
  EXPECT_EQ(table.SetBypassed(5, Bypass::kIgnored), RegisterResult::kOk);
  EXPECT_TRUE(table.Knows(3));
  EXPECT_TRUE(table.Knows(5));
  EXPECT_FALSE(table.Knows(4));
  EXPECT_EQ(table.At(3).route.Get(), DispatchTable::Route::kHandler);
  EXPECT_EQ(table.At(5).route.Get(), DispatchTable::Route::kBypass);
}

TEST(DispatchTableTest, ASecondRegistrationIsRefusedAndTheFirstStays) {
  DispatchTable table(8);
  table.SetHandler(3, kNoop);
  EXPECT_EQ(table.SetBypassed(3, Bypass::kIgnored), RegisterResult::kDuplicate);
  EXPECT_EQ(table.SetHandler(3, kNoop), RegisterResult::kDuplicate);
  EXPECT_EQ(table.At(3).route.Get(), DispatchTable::Route::kHandler);
}

TEST(DispatchTableTest, KindsBeyondTheTableAreRefusedAndUnknown) {
  DispatchTable table(8);
  EXPECT_EQ(table.SetHandler(7, kNoop), RegisterResult::kOk);
  EXPECT_EQ(table.SetHandler(8, kNoop), RegisterResult::kOutOfRange);
  EXPECT_EQ(table.SetBypassed(65535, Bypass::kIgnored), RegisterResult::kOutOfRange);
  EXPECT_FALSE(table.Knows(8));
  EXPECT_FALSE(table.Knows(65535));
}

TEST(DispatchTableTest, NothingIsRegisteredAfterTheStart) {
  DispatchTable table(8);
  table.Freeze();
  EXPECT_EQ(table.SetHandler(3, kNoop), RegisterResult::kAfterStart);
  EXPECT_EQ(table.SetBypassed(3, Bypass::kIgnored), RegisterResult::kAfterStart);
  EXPECT_FALSE(table.Knows(3));
}

TEST(DispatchTableTest, RefusalsHaveNames) {
  EXPECT_STREQ(RegisterResultName(RegisterResult::kDuplicate), "duplicate");
  EXPECT_STREQ(RegisterResultName(RegisterResult::kOutOfRange), "out of range");
  EXPECT_STREQ(RegisterResultName(RegisterResult::kAfterStart), "after start");
}

TEST(DispatchTableDeathTest, SizeMustBeInItsRange) {
  EXPECT_DEATH(DispatchTable(0), "check failed");
  EXPECT_DEATH(DispatchTable(65537), "check failed");
}

}  // namespace
}  // namespace bitactor
