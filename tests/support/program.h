// Runs the program `bitactor` as a child process.
#ifndef BITACTOR_TESTS_SUPPORT_PROGRAM_H_
#define BITACTOR_TESTS_SUPPORT_PROGRAM_H_

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "bitactor/l1_core/check.h"
#include "support/temp_dir.h"

namespace bitactor::test {

struct Outcome {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  std::string out;
  std::string err;
};

class Program {
 public:
  // `command` is run by a shell in an empty folder, in place of it, so that signals reach the
  // program.
  explicit Program(const std::string& command) {
    pid_ = fork();
    BITACTOR_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      const int out = open(dir_.File("out").c_str(), O_WRONLY | O_CREAT, 0600);
      const int err = open(dir_.File("err").c_str(), O_WRONLY | O_CREAT, 0600);
      if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
      const std::string line = "exec " + command;
      execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      _exit(127);
    }
  }
  ~Program() {
    if (pid_ > 0) KillAndWait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Waits for the end, at most `timeout_ms`; true when it ended.
  bool AwaitEnd(int timeout_ms) {
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    BITACTOR_CHECK(fd >= 0);
    pollfd ended{fd, POLLIN, 0};
    const bool done = poll(&ended, 1, timeout_ms) == 1;
    close(fd);
    return done;
  }
  Outcome Wait() {
    int status = 0;
    BITACTOR_CHECK_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    Outcome outcome;
    if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
    outcome.out = Read(dir_.File("out"));
    outcome.err = Read(dir_.File("err"));
    return outcome;
  }
  // What it has written to standard error by now.
  std::string Err() const { return Read(dir_.File("err")); }
  void Signal(int signal) { BITACTOR_CHECK_EQ(kill(pid_, signal), 0); }
  Outcome KillAndWait() {
    kill(pid_, SIGKILL);
    return Wait();
  }

 private:
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  TempDir dir_;
  pid_t pid_ = -1;
};

#ifdef BITACTOR_PROGRAM  // the path of the built program, for tests of it
inline Outcome RunProgram(const std::string& arguments) {
  return Program(std::string(BITACTOR_PROGRAM) + " " + arguments).Wait();
}
#endif

}  // namespace bitactor::test

#endif  // BITACTOR_TESTS_SUPPORT_PROGRAM_H_
