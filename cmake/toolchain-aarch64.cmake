# 64-bit Arm on a Debian x86-64 machine: the compiler is Debian's cross GCC,
# the libraries come from a folder that tools/dev/sysroot.sh fills from Debian
# packages, and programs run under qemu-user, so ctest works as at home.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

get_filename_component(CARAT_SYSROOT
                       "${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-aarch64"
                       ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH "${CARAT_SYSROOT}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(OPENSSL_USE_STATIC_LIBS ON)

# Debian keeps headers that differ by architecture in a folder of their own.
set(CMAKE_CXX_FLAGS_INIT
    "-isystem ${CARAT_SYSROOT}/usr/include/aarch64-linux-gnu")

# Shared libraries need others of the folder at link time.
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,-rpath-link,${CARAT_SYSROOT}/usr/lib/aarch64-linux-gnu")

# -cpu max: every Arm extension that this qemu knows, among them dotprod and
# i8mm, so that the fastest kernels are what runs.
set(CMAKE_CROSSCOMPILING_EMULATOR
    "qemu-aarch64;-cpu;max;-L;/usr/aarch64-linux-gnu")
