// Keeps the process alive when somebody else cuts a file short that it has mapped.
#ifndef BITACTOR_L1_CORE_MAPPING_GUARD_H_
#define BITACTOR_L1_CORE_MAPPING_GUARD_H_

#include <atomic>
#include <cstddef>

namespace bitactor {

// A load or store behind the end of a mapped file raises SIGBUS, which ends the process. Nobody can
// prevent it by looking first: the file can become shorter between the look and the load. So
// PosixFiles() has a handler for SIGBUS: where the address is in one of its own mappings, a page of
// zeros takes the place of the missing one, the mapping says broken() from then on, and the
// instruction runs again. Everything else goes to whatever handled SIGBUS before.
//
// Threads: any.
// Bounds: kGuardedMappingsMax mappings at a time; File::Map refuses more.
// Cost: a store to a table for each mapping; nothing for a load or store that finds its page.
// Design: a library that sets a signal handler meddles with what belongs to the program. This one
//   does because nothing else helps, and a journal whose reader can be killed by `truncate` cannot
//   be trusted. It is installed with the first mapping, once; whoever sets a handler later has to
//   hand on what is not theirs, as this one does. A program that will not have it calls
//   LeaveMappingsUnguarded().
inline constexpr size_t kGuardedMappingsMax = 4096;

// Installs no handler, ever. Then a file that is cut short under its reader ends the process. False
// when it is too late: a file was mapped already.
bool LeaveMappingsUnguarded();

namespace internal {

// Takes the range in; `broken` is set when a page of it turned out to be missing. The first call
// installs the handler. False: there is no room. All of it must stay until UnguardMapping().
bool GuardMapping(std::byte* data, size_t size_bytes, std::atomic<bool>* broken);
// Before the range is unmapped. REQUIRES: no thread uses the range any more.
void UnguardMapping(const std::byte* data);

}  // namespace internal

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_MAPPING_GUARD_H_
