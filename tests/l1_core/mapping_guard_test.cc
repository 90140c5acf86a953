// In every schedule: a file that is cut short under its mappings ends no process, marks the mapping
// through which a missing page was touched, and no other one.
#include "bitactor/l1_core/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "bitactor/l1_core/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace bitactor::test {
namespace {

using ::testing::HasSubstr;

const size_t kPageBytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
constexpr size_t kPages = 16;

std::unique_ptr<File> MakeFile(const std::string& path, std::byte filling = std::byte{7}) {
  auto file = PosixFiles().Open(path, FileSystem::OpenMode::kCreate);
  BITACTOR_CHECK(file.ok());
  const std::vector<std::byte> bytes(kPages * kPageBytes, filling);
  BITACTOR_CHECK((*file)->WriteAt(0, bytes).ok());
  return *std::move(file);
}

std::unique_ptr<Mapping> MapAll(File& file, File::Access access = File::Access::kRead) {
  auto mapping = file.Map(0, kPages * kPageBytes, access);
  BITACTOR_CHECK(mapping.ok());
  return *std::move(mapping);
}

// A load that the compiler leaves where it is.
std::byte Load(const Mapping& mapping, size_t offset) {
  return *const_cast<const volatile std::byte*>(mapping.data() + offset);
}
void Store(Mapping& mapping, size_t offset) {
  *const_cast<volatile std::byte*>(mapping.data() + offset) = std::byte{1};
}

class MappingGuardTest : public ::testing::Test {
 protected:
  const TempDir temp_;
  const std::unique_ptr<File> file_ = MakeFile(temp_.File("file"));
};

TEST_F(MappingGuardTest, AWholeFileIsNotBroken) {
  const auto mapping = MapAll(*file_);
  for (size_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(Load(*mapping, page * kPageBytes), std::byte{7});
  }
  EXPECT_FALSE(mapping->broken());
}

TEST_F(MappingGuardTest, AMissingPageReadsAsZerosAndIsTold) {
  const auto mapping = MapAll(*file_);
  ASSERT_TRUE(file_->Resize(3 * kPageBytes).ok());
  EXPECT_EQ(Load(*mapping, 3 * kPageBytes - 1), std::byte{7});
  EXPECT_FALSE(mapping->broken());
  EXPECT_EQ(Load(*mapping, 3 * kPageBytes), std::byte{0});
  EXPECT_TRUE(mapping->broken());
  EXPECT_EQ(Load(*mapping, 0), std::byte{7});
  EXPECT_EQ(Load(*mapping, kPages * kPageBytes - 1), std::byte{0});
}

TEST_F(MappingGuardTest, AStoreBehindTheEndIsTold) {
  const auto mapping = MapAll(*file_, File::Access::kReadWrite);
  ASSERT_TRUE(file_->Resize(kPageBytes).ok());
  Store(*mapping, 5 * kPageBytes);
  EXPECT_TRUE(mapping->broken());
  EXPECT_EQ(*file_->SizeBytes(), kPageBytes);
}

TEST_F(MappingGuardTest, StaysBrokenWhenTheFileIsLongAgain) {
  const auto mapping = MapAll(*file_);
  ASSERT_TRUE(file_->Resize(0).ok());
  Load(*mapping, 0);
  ASSERT_TRUE(file_->Resize(kPages * kPageBytes).ok());
  EXPECT_TRUE(mapping->broken());
}

TEST_F(MappingGuardTest, OnlyTheMappingThatWasTouchedIsBroken) {
  const auto other_file = MakeFile(temp_.File("other"));
  const auto untouched = MapAll(*file_);
  const auto touched = MapAll(*file_);
  const auto other = MapAll(*other_file);
  ASSERT_TRUE(file_->Resize(0).ok());
  Load(*touched, 0);
  EXPECT_TRUE(touched->broken());
  EXPECT_FALSE(untouched->broken());
  EXPECT_FALSE(other->broken());
}

TEST_F(MappingGuardTest, ANewMappingInThePlaceOfABrokenOneIsNotBroken) {
  for (int round = 0; round < 3; ++round) {
    const auto mapping = MapAll(*file_);
    EXPECT_FALSE(mapping->broken());
    ASSERT_TRUE(file_->Resize(0).ok());
    Load(*mapping, 0);
    EXPECT_TRUE(mapping->broken());
    ASSERT_TRUE(file_->Resize(kPages * kPageBytes).ok());
  }
}

TEST_F(MappingGuardTest, PopulatingAndLettingGoOfMissingPagesIsHarmless) {
  const auto mapping = MapAll(*file_, File::Access::kReadWrite);
  ASSERT_TRUE(file_->Resize(kPageBytes).ok());
  mapping->ExpectReadsInOrder();
  const bool populated = mapping->Populate(0, kPages * kPageBytes);
#if !defined(__aarch64__)  // there the emulator takes any advice, and does nothing
  EXPECT_FALSE(populated);
#endif
  static_cast<void>(populated);
  mapping->LetGo(0, kPages * kPageBytes);
  EXPECT_EQ(Load(*mapping, 0), std::byte{7});
  EXPECT_FALSE(mapping->broken());
}

TEST_F(MappingGuardTest, MoreMappingsThanTheTableHoldsAreRefused) {
  std::vector<std::unique_ptr<Mapping>> mappings;
  for (size_t i = 0; i < kGuardedMappingsMax; ++i) mappings.push_back(MapAll(*file_));
  const absl::Status refused = file_->Map(0, kPageBytes, File::Access::kRead).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("4096 ranges of files are mapped"));
  mappings.erase(mappings.begin() + 17);
  mappings.push_back(MapAll(*file_));
  ASSERT_TRUE(file_->Resize(0).ok());
  for (const auto& mapping : mappings) {
    Load(*mapping, 0);
    ASSERT_TRUE(mapping->broken());
  }
}

// Cuts and restores the file at random, while others read pages through mappings of their own. Each
// page is as it was written, or its mapping is broken.
TEST_F(MappingGuardTest, ReadersOutliveAFileThatIsCutAgainAndAgain) {
  const uint64_t seed = Seed();
  const int rounds = Rounds(300);
  const auto whole_file = MakeFile(temp_.File("whole"));
  std::atomic<bool> done = false;
  std::atomic<uint64_t> broken = 0, wrong = 0, rounds_read = 0;
  const auto read = [&](uint64_t salt) {
    std::mt19937_64 random(seed + salt);
    while (!done.load(std::memory_order_relaxed)) {
      auto mapping = file_->Map(0, kPages * kPageBytes, File::Access::kRead);
      if (!mapping.ok()) {  // it is short just now
        if (!absl::IsOutOfRange(mapping.status())) ++wrong;
        continue;
      }
      const auto whole = MapAll(*whole_file);
      for (int i = 0; i < 64; ++i) {
        const size_t offset = random() % (kPages * kPageBytes);
        const std::byte value = Load(**mapping, offset);
        // The file has zeros where it was cut and restored.
        if (value != std::byte{7} && value != std::byte{0}) ++wrong;
        if (Load(*whole, offset) != std::byte{7}) ++wrong;
      }
      if ((*mapping)->broken()) ++broken;
      if (whole->broken()) ++wrong;
      ++rounds_read;
    }
  };
  std::thread first(read, 1);
  std::thread second(read, 2);
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds || broken.load() == 0; ++round) {
    ASSERT_TRUE(file_->Resize(random() % (kPages * kPageBytes)).ok());
    std::this_thread::yield();
    ASSERT_TRUE(file_->Resize(kPages * kPageBytes).ok());
  }
  done = true;
  first.join();
  second.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(rounds_read.load(), 0u);
}

// The rest needs a process in which nothing was mapped yet: a death test that starts it anew.
class MappingGuardDeathTest : public ::testing::Test {
 protected:
  MappingGuardDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  void SetUp() override {
#if defined(__aarch64__)
    GTEST_SKIP() << "skipped: under an emulator the test program cannot start itself again";
#endif
  }

  // A bus error that is not ours.
  static void TouchAMissingPageOfAStranger() {
    const int descriptor = memfd_create("empty", 0);
    void* data = mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, descriptor, 0);
    BITACTOR_CHECK(data != MAP_FAILED);
    *static_cast<volatile char*>(data);
  }
  static void Handle(int signal, void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    BITACTOR_CHECK_EQ(sigaction(signal, &action, nullptr), 0);
  }

  // Its directory is gone already: a process that is killed leaves nothing behind.
  const std::unique_ptr<File> file_ = MakeFile(TempDir().File("file"));
};

TEST_F(MappingGuardDeathTest, ABusErrorOfOthersGoesToTheHandlerBefore) {
  EXPECT_EXIT(
      {
        struct sigaction action = {};
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
          _exit(info->si_addr != nullptr ? 42 : 43);
        };
        action.sa_flags = SA_SIGINFO;
        BITACTOR_CHECK_EQ(sigaction(SIGBUS, &action, nullptr), 0);
        const auto mapping = MapAll(*file_);
        TouchAMissingPageOfAStranger();
      },
      ::testing::ExitedWithCode(42), "");
}

TEST_F(MappingGuardDeathTest, ABusErrorOfOthersGoesToAPlainHandlerBefore) {
  EXPECT_EXIT(
      {
        Handle(SIGBUS, [](int) { _exit(44); });
        const auto mapping = MapAll(*file_);
        TouchAMissingPageOfAStranger();
      },
      ::testing::ExitedWithCode(44), "");
}

TEST_F(MappingGuardDeathTest, ABusErrorOfOthersEndsTheProcessAsItWouldHave) {
  EXPECT_EXIT(
      {
        Handle(SIGBUS, SIG_DFL);
        const auto mapping = MapAll(*file_);
        TouchAMissingPageOfAStranger();
      },
      ::testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        Handle(SIGBUS, SIG_IGN);  // which the kernel does not do for a fault
        const auto mapping = MapAll(*file_);
        TouchAMissingPageOfAStranger();
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

TEST_F(MappingGuardDeathTest, ASignalThatWasSentDoesWhatItWouldHave) {
  EXPECT_EXIT(
      {
        Handle(SIGBUS, SIG_DFL);
        const auto mapping = MapAll(*file_);
        raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(
      {
        Handle(SIGBUS, SIG_IGN);
        const auto mapping = MapAll(*file_);
        raise(SIGBUS);
        _exit(45);
      },
      ::testing::ExitedWithCode(45), "");
}

TEST_F(MappingGuardDeathTest, LeftUnguardedThereIsNoHandler) {
  EXPECT_EXIT(
      {
        Handle(SIGBUS, SIG_DFL);
        if (!LeaveMappingsUnguarded()) _exit(1);
        const auto mapping = MapAll(*file_);
        struct sigaction now;
        BITACTOR_CHECK_EQ(sigaction(SIGBUS, nullptr, &now), 0);
        if (now.sa_handler != SIG_DFL) _exit(2);
        BITACTOR_CHECK(file_->Resize(0).ok());
        Load(*mapping, 0);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

TEST_F(MappingGuardDeathTest, LeavingUnguardedIsTooLateBehindTheFirstMapping) {
  EXPECT_EXIT(
      {
        const auto mapping = MapAll(*file_);
        _exit(LeaveMappingsUnguarded() ? 1 : 46);
      },
      ::testing::ExitedWithCode(46), "");
}

}  // namespace
}  // namespace bitactor::test
