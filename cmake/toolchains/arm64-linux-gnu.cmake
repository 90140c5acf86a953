# Cross-compiles for Arm64 on a Debian machine of another kind, and runs the result under qemu's
# user-mode emulation. The compiler and its C library are Debian's cross packages; the libraries we
# link lie in a folder that `./dev arm64` fills, so that the machine's own packages stay as they are.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

get_filename_component(bitactor_sysroot ${CMAKE_CURRENT_LIST_DIR}/../../build/arm64-sysroot ABSOLUTE)
if(NOT EXISTS ${bitactor_sysroot}/usr/include/absl)
  message(FATAL_ERROR "No Arm64 libraries in ${bitactor_sysroot}: run ./dev arm64, which fetches them.")
endif()

# Packages come from the folder alone: the machine's own have the wrong instruction set.
set(CMAKE_FIND_ROOT_PATH ${bitactor_sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# CTest runs every test through it. -L: where the program's loader and shared libraries are.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${bitactor_sysroot})
