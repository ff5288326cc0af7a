# How a room and its tests are declared. Which room may use which is checked by
# scripts/check_layers.py; DEPS here only says what to link.

add_library(reel_warnings INTERFACE)
target_compile_options(reel_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${REEL_WERROR}>>:-Werror>)

if(REEL_TORCH)
  find_package(Libtorch REQUIRED)
  # One precompiled ATen header for every room that needs torch: 17 s once, 1.5 s a file.
  file(WRITE "${CMAKE_BINARY_DIR}/aten_pch.cpp" "")
  add_library(reel_aten_pch STATIC "${CMAKE_BINARY_DIR}/aten_pch.cpp")
  # The same definitions and dialect flags as its users, or the compiler will not take it.
  target_link_libraries(reel_aten_pch PRIVATE Libtorch::torch fmt::fmt reel_warnings)
  target_precompile_headers(reel_aten_pch PRIVATE <ATen/ATen.h>)
endif()

# reel_room(name [TORCH] SOURCES … [DEPS rooms…] [LINK libraries…])
function(reel_room name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;LINK" ${ARGN})
  add_library(reel_${name} STATIC ${ARG_SOURCES})
  target_include_directories(reel_${name}
    PUBLIC "${CMAKE_SOURCE_DIR}/include" PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  list(TRANSFORM ARG_DEPS PREPEND reel_)
  target_link_libraries(reel_${name} PUBLIC ${ARG_DEPS} fmt::fmt nlohmann_json::nlohmann_json
    PRIVATE reel_warnings ${ARG_LINK})
  if(ARG_TORCH)
    target_link_libraries(reel_${name} PUBLIC Libtorch::torch)
    target_precompile_headers(reel_${name} REUSE_FROM reel_aten_pch)
  endif()
endfunction()

# reel_test(name ROOM room [TORCH] [GPU] LABEL label SOURCES … [DEPS rooms…] [LINK libraries…])
# One executable, one ctest entry; a test may include its room's private headers. With GPU a second
# entry, labelled gpu, runs the same on a GPU; where none is, it is skipped when run.
function(reel_test name)
  cmake_parse_arguments(ARG "TORCH;GPU" "ROOM;LABEL" "SOURCES;DEPS;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_include_directories(${name} PRIVATE
    "${CMAKE_SOURCE_DIR}/src/${ARG_ROOM}" "${CMAKE_SOURCE_DIR}/tests/support")
  list(TRANSFORM ARG_DEPS PREPEND reel_)
  target_link_libraries(${name} PRIVATE
    reel_${ARG_ROOM} ${ARG_DEPS} GTest::gmock reel_warnings ${ARG_LINK}
    $<IF:$<BOOL:${ARG_GPU}>,reel_device_main,GTest::gtest_main>)
  target_compile_definitions(${name} PRIVATE REEL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(ARG_TORCH)
    target_link_libraries(${name} PRIVATE Libtorch::torch)
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600)
  if(ARG_GPU)
    add_test(NAME ${name}_gpu COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name}_gpu PROPERTIES LABELS gpu TIMEOUT 600 RESOURCE_LOCK gpu
      ENVIRONMENT REEL_TEST_DEVICE=cuda SKIP_RETURN_CODE 77)
  endif()
endfunction()
