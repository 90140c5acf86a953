# Installs one layer with what it stands on, and nothing else, into an empty folder; then builds and
# runs its consumer project against that folder. Called by CTest:
#   cmake -D LAYER=... -D USES=... -D HOW=cmake|pkg-config -D BUILD_DIR=... -D WORK_DIR=...
#         -D CXX=... -D LAUNCHER=... -P run_consumer.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  message(STATUS "${said}")
  if(NOT code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "consumer of ${LAYER} (${HOW}): exit ${code} from: ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
set(prefix ${WORK_DIR}/prefix)
foreach(component IN LISTS LAYER USES ITEMS package)
  run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix} --component ${component})
endforeach()

set(source ${CMAKE_CURRENT_LIST_DIR}/${LAYER})
if(HOW STREQUAL "cmake")
  run(${CMAKE_COMMAND} -S ${source} -B ${WORK_DIR}/build -G Ninja -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
  run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
  run(${CMAKE_COMMAND} -E chdir ${WORK_DIR} ${WORK_DIR}/build/consumer)
elseif(HOW STREQUAL "pkg-config")
  find_program(PKG_CONFIG NAMES pkg-config pkgconf REQUIRED)
  file(GLOB_RECURSE pc_files ${prefix}/*/bitactor_${LAYER}.pc)
  get_filename_component(pc_dir "${pc_files}" DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} ${pc_dir})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs bitactor_${LAYER}
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  # As a person types it: compiler, file, what pkg-config said.
  run(${CXX} ${source}/main.cc ${flags} -o ${WORK_DIR}/consumer)
  run(${CMAKE_COMMAND} -E chdir ${WORK_DIR} ${WORK_DIR}/consumer)
else()
  message(FATAL_ERROR "HOW=${HOW}: allowed are cmake and pkg-config")
endif()
