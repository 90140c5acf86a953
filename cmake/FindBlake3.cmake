# BLAKE3 in C: its sources, as Debian's librust-blake3-dev brings them, or an installed libblake3.
#   Blake3_INCLUDE_DIR  where blake3.h is
#   Blake3_SOURCES      what to compile, with the fastest code for each x86-64 chosen at run time
#   Blake3_LIBRARY      what to link where there are no sources
# BITACTOR_BLAKE3_SOURCE_DIR names the sources' folder where they are elsewhere.
file(GLOB packaged /usr/share/cargo/registry/blake3-*/c)
list(SORT packaged COMPARE NATURAL ORDER DESCENDING)
set(BITACTOR_BLAKE3_SOURCE_DIR "" CACHE PATH "Folder with BLAKE3's C sources (blake3.c, blake3_dispatch.c ...)")

set(Blake3_INCLUDE_DIR "")
set(Blake3_SOURCES "")
set(Blake3_LIBRARY "")
foreach(dir IN LISTS BITACTOR_BLAKE3_SOURCE_DIR packaged)
  if(EXISTS ${dir}/blake3_dispatch.c)
    set(Blake3_INCLUDE_DIR ${dir})
    break()
  endif()
endforeach()

if(Blake3_INCLUDE_DIR)
  set(parts blake3.c blake3_dispatch.c blake3_portable.c)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    foreach(set sse2 sse41 avx2 avx512)
      list(APPEND parts blake3_${set}_x86-64_unix.S)
    endforeach()
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND parts blake3_neon.c)
  endif()
  list(TRANSFORM parts PREPEND ${Blake3_INCLUDE_DIR}/ OUTPUT_VARIABLE Blake3_SOURCES)
  set(Blake3_CODE ${Blake3_SOURCES})
else()
  find_path(Blake3_INSTALLED_INCLUDE_DIR blake3.h)
  find_library(Blake3_INSTALLED_LIBRARY blake3)
  if(Blake3_INSTALLED_INCLUDE_DIR AND Blake3_INSTALLED_LIBRARY)
    set(Blake3_INCLUDE_DIR ${Blake3_INSTALLED_INCLUDE_DIR})
    set(Blake3_LIBRARY ${Blake3_INSTALLED_LIBRARY})
  endif()
  set(Blake3_CODE ${Blake3_LIBRARY})
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Blake3
  REQUIRED_VARS Blake3_CODE Blake3_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "BLAKE3 seals the blocks of span files. Install Debian's librust-blake3-dev, which has its C \
sources (./dev does it), or libblake3 with its header, or name a folder with the C sources: \
-D BITACTOR_BLAKE3_SOURCE_DIR=DIR.")
