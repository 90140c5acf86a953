// A mutex for set-up and other cold paths, checked by clang's thread-safety analysis.
#ifndef BITACTOR_L1_CORE_MUTEX_H_
#define BITACTOR_L1_CORE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace bitactor {

// std::mutex with the annotations. Not absl::Mutex: that one lives in a library that is not built
// for the thread sanitizer, which then does not see what it orders.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return mutex_.try_lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Of a Mutex or a FairMutex.
template <typename M = Mutex>
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(M* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  M* const mutex_;
};

class CondVar {
 public:
  // Waits for a signal, or for nothing: look at the condition again. The mutex is held before and
  // after.
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // The same, until `until` at the latest.
  void WaitUntil(Mutex* mutex, std::chrono::steady_clock::time_point until)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait_until(lock, until);
    lock.release();
  }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// A mutex that is had in the order in which it was asked for: a thread that gives it back and asks
// again at once goes behind those that wait. For long work; it wakes all who wait at each change.
class ABSL_LOCKABLE FairMutex {
 public:
  FairMutex() = default;
  FairMutex(const FairMutex&) = delete;
  FairMutex& operator=(const FairMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    MutexLock lock(&mutex_);
    const uint64_t turn = asked_++;
    while (turn_ != turn) changed_.Wait(&mutex_);
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    MutexLock lock(&mutex_);
    ++turn_;
    changed_.SignalAll();
  }
  // Threads that have it or wait for it.
  uint64_t asking() const {
    MutexLock lock(&mutex_);
    return asked_ - turn_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t turn_ ABSL_GUARDED_BY(mutex_) = 0;  // who has it, or will have it next
};

// Something that happens once, waited for by others.
class Notification {
 public:
  void Notify() {
    // Under the lock: the waiter may destroy this object as soon as it can have the lock.
    MutexLock lock(&mutex_);
    notified_ = true;
    condition_.SignalAll();
  }
  void Wait() {
    MutexLock lock(&mutex_);
    while (!notified_) condition_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar condition_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_MUTEX_H_
