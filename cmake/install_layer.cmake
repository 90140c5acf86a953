# Installing a layer: library, headers, CMake target, pkg-config file. Every layer is an install
# component of its own, and so is `package` (the entry of find_package), so that
#   cmake --install build/release --component l1_core
#   cmake --install build/release --component package
# gives L1 and nothing above it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(BITACTOR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/bitactor)

# bitactor_install_layer(<layer> <third-party targets...>), called by bitactor_library().
function(bitactor_install_layer layer)
  set(target bitactor_${layer})
  install(TARGETS ${target} EXPORT ${target} COMPONENT ${layer}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILE_SET lone_headers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  # One export set a layer: who asks for l1_core does not need what l3_genactor depends on.
  install(EXPORT ${target} COMPONENT ${layer} NAMESPACE bitactor::
    FILE ${layer}-targets.cmake DESTINATION ${BITACTOR_CMAKE_DIR})

  # What the layer needs, once as CMake packages and once as pkg-config modules.
  set(uses ${BITACTOR_LAYER_USES_${layer}})
  set(packages "")
  list(TRANSFORM uses PREPEND bitactor_ OUTPUT_VARIABLE requires)
  set(cflags -std=c++20)
  bitactor_instruction_floor(floor)
  list(APPEND cflags ${floor})
  set(libs "")
  foreach(linked IN LISTS ARGN)
    if(linked MATCHES "^absl::(.+)$")
      list(APPEND packages absl)
      list(APPEND requires absl_${CMAKE_MATCH_1})
    elseif(linked STREQUAL "Threads::Threads")
      list(APPEND packages Threads)
      list(APPEND cflags -pthread)
      list(APPEND libs -pthread)
    elseif(IS_ABSOLUTE ${linked})  # a library's file
      list(APPEND libs ${linked})
    else()
      message(FATAL_ERROR "bitactor_library(${layer} LINKS ${linked}): cmake/install_layer.cmake does not know "
        "which package ${linked} comes from, so the installed ${layer} would not find it. Add it there.")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES packages)
  list(JOIN requires ", " requires)
  list(JOIN cflags " " cflags)
  list(JOIN libs " " libs)

  set(generated ${PROJECT_BINARY_DIR}/package)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/component.cmake.in ${generated}/${layer}-component.cmake @ONLY)
  install(FILES ${generated}/${layer}-component.cmake COMPONENT ${layer} DESTINATION ${BITACTOR_CMAKE_DIR})
  # The .pc file finds its prefix from its own place, so that an installed tree can be moved.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/layer.pc.in ${generated}/bitactor_${layer}.pc @ONLY)
  install(FILES ${generated}/bitactor_${layer}.pc COMPONENT ${layer}
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# The entry of find_package(bitactor). Called once.
function(bitactor_install_package)
  set(generated ${PROJECT_BINARY_DIR}/package)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/bitactorConfig.cmake.in
    ${generated}/bitactorConfig.cmake INSTALL_DESTINATION ${BITACTOR_CMAKE_DIR})
  # Before 1.0 a minor version may change the interface.
  write_basic_package_version_file(${generated}/bitactorConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${generated}/bitactorConfig.cmake ${generated}/bitactorConfigVersion.cmake
    COMPONENT package DESTINATION ${BITACTOR_CMAKE_DIR})
endfunction()
