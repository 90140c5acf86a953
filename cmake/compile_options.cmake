# Compile options of everything this project builds. Nothing here reaches a consumer: what consumer
# and library must agree on is bitactor_instruction_floor(), and goes into the package.
add_library(bitactor_warnings INTERFACE)
target_compile_options(bitactor_warnings INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O2 and above it sees overlapping copies inside std::string::insert and replace that are not there.
  target_compile_options(bitactor_warnings INTERFACE -Wno-restrict)
endif()

# The libraries are position-independent, and without this g++ may not inline their functions into
# each other: somebody might put another definition in front at load time. Nobody does.
add_compile_options(-fno-semantic-interposition)

option(BITACTOR_NATIVE "Build for the instruction set of this machine instead of the baseline" OFF)
if(BITACTOR_NATIVE)
  add_compile_options(-march=native)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-march=x86-64-v2)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  add_compile_options(-march=armv8-a+crc)
endif()

# The flags that a consumer needs as well. Public headers hold inline functions (Crc32c above all)
# whose body depends on __SSE4_2__ or __ARM_FEATURE_CRC32. Were the consumer compiled without it, the
# program would hold two definitions of one inline function: against the one-definition rule, and
# the linker could give our hot path the slow one. So the feature travels with the targets and the
# .pc files: the feature alone, not -march=x86-64-v2, which would take a consumer's -march=native
# back. Arm has no flag for one feature; there the consumer's own -march has to come later.
function(bitactor_instruction_floor result)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(${result} -msse4.2 PARENT_SCOPE)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(${result} -march=armv8-a+crc PARENT_SCOPE)
  else()
    set(${result} "" PARENT_SCOPE)
  endif()
endfunction()

set(BITACTOR_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, e.g. address,undefined or thread")
if(BITACTOR_SANITIZE)
  add_compile_options(-fsanitize=${BITACTOR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BITACTOR_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang 14 miscompiles coroutines under this check of indirect calls.
    add_compile_options(-fno-sanitize=function)
  else()
    # What the sanitizers add brings about false alarms of g++ 12.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()

option(BITACTOR_COVERAGE "Count executed lines (gcov)" OFF)
if(BITACTOR_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

# For code whose own speed nobody waits for: the compiler's time counts. Behind the address sanitizer's
# instructions optimisation takes a third of it.
set(BITACTOR_UNHURRIED $<$<NOT:$<CONFIG:Debug>>:-O1>)
if(BITACTOR_SANITIZE MATCHES address)
  set(BITACTOR_UNHURRIED -O0)
endif()
