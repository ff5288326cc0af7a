# libtorch out of the PyPI wheel in REEL_VENV, with the CUDA libraries and headers that came with it.
#
# torch's own TorchConfig.cmake stops without a CUDA toolkit, though the wheel runs on machines
# that have none; this module needs the wheel alone. It gives Libtorch::torch, and an RPATH that
# finds the wheel's CUDA, cuDNN and NCCL before any system copy.

file(GLOB _site_packages "${REEL_VENV}/lib/python3*/site-packages")
find_path(Libtorch_INCLUDE_DIR ATen/ATen.h
  HINTS ${_site_packages} PATH_SUFFIXES torch/include NO_DEFAULT_PATH)
find_library(Libtorch_LIBRARY torch HINTS ${_site_packages} PATH_SUFFIXES torch/lib NO_DEFAULT_PATH)
file(GLOB _version_file "${_site_packages}/torch-*.dist-info")
string(REGEX MATCH "torch-([0-9]+[.][0-9]+[.][0-9]+)" _ "${_version_file}")
set(Libtorch_VERSION "${CMAKE_MATCH_1}")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS Libtorch_LIBRARY Libtorch_INCLUDE_DIR VERSION_VAR Libtorch_VERSION
  REASON_FAILURE_MESSAGE "no torch wheel in ${REEL_VENV} - run scripts/setup")

if(Libtorch_FOUND AND NOT TARGET Libtorch::torch)
  set(_lib "${_site_packages}/torch/lib")
  set(_nvidia "${_site_packages}/nvidia")
  add_library(Libtorch::torch INTERFACE IMPORTED)
  # The wheel's headers carry another fmt, whose compiled half nobody exports: ours goes first.
  get_target_property(_fmt fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt_first")
  file(CREATE_LINK "${_fmt}/fmt" "${CMAKE_BINARY_DIR}/fmt_first/fmt" SYMBOLIC)
  target_include_directories(Libtorch::torch SYSTEM INTERFACE "${CMAKE_BINARY_DIR}/fmt_first")
  target_include_directories(Libtorch::torch SYSTEM INTERFACE
    "${Libtorch_INCLUDE_DIR}" "${Libtorch_INCLUDE_DIR}/torch/csrc/api/include")
  if(EXISTS "${_nvidia}/cu13/include")
    target_include_directories(Libtorch::torch SYSTEM INTERFACE
      "${_nvidia}/cu13/include" "${_nvidia}/cudnn/include" "${_nvidia}/nccl/include")
  endif()
  set(_cuda)
  set(Libtorch_CUDA OFF)
  if(EXISTS "${_lib}/libtorch_cuda.so")
    set(Libtorch_CUDA ON)
    set(_cuda "${_lib}/libtorch_cuda.so" "${_lib}/libc10_cuda.so" "${_nvidia}/cu13/lib/libcudart.so.13")
  endif()
  # The wheel's own OpenMP, for files that use at::parallel_for: one pool of threads, not two.
  # libtorch_cuda registers itself when loaded, so it is linked though nothing names it.
  target_link_libraries(Libtorch::torch INTERFACE
    -Wl,--no-as-needed "${_lib}/libtorch_cpu.so" "${_lib}/libc10.so" ${_cuda} -Wl,--as-needed
    "${_lib}/libgomp.so.1")
  target_link_options(Libtorch::torch INTERFACE -Wl,--disable-new-dtags
    "-Wl,-rpath,${_nvidia}/cudnn/lib:${_nvidia}/nccl/lib:${_nvidia}/cusparselt/lib:${_nvidia}/nvshmem/lib:${_nvidia}/cu13/lib:${_lib}")
endif()
