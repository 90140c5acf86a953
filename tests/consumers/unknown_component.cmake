# find_package(bitactor COMPONENTS l9_telepathy) against a package that has l1_core alone must fail
# and say which components there are; as an OPTIONAL component it must not.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${WORK_DIR})
foreach(component l1_core package)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix --component ${component}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# configure(<name> <arguments of find_package...>): sets `code` and `said`.
function(configure name)
  list(JOIN ARGN " " arguments)
  file(WRITE ${WORK_DIR}/${name}/CMakeLists.txt
    "cmake_minimum_required(VERSION 3.25)\nproject(unknown LANGUAGES CXX)\n"
    "find_package(bitactor ${arguments})\n"
    "if(NOT TARGET bitactor::l1_core)\n  message(FATAL_ERROR \"no target bitactor::l1_core\")\nendif()\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${WORK_DIR}/${name} -B ${WORK_DIR}/${name}/build -G Ninja
    -D CMAKE_PREFIX_PATH=${WORK_DIR}/prefix -D CMAKE_CXX_COMPILER=${CXX}
    RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  set(code ${code} PARENT_SCOPE)
  set(said "${said}" PARENT_SCOPE)
endfunction()

configure(required REQUIRED COMPONENTS l1_core l9_telepathy)
if(code EQUAL 0 OR NOT said MATCHES "No component l9_telepathy" OR NOT said MATCHES "installed: +l1_core")
  message(FATAL_ERROR "expected a refusal that names l9_telepathy and lists l1_core; exit ${code}:\n${said}")
endif()
configure(optional REQUIRED COMPONENTS l1_core OPTIONAL_COMPONENTS l9_telepathy)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "an optional component that is not there is no fault, but exit ${code}:\n${said}")
endif()
configure(all REQUIRED)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "find_package without COMPONENTS: exit ${code}:\n${said}")
endif()
