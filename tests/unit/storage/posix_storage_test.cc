#include "storage/posix/posix_storage.h"

#include "base/error.h"
#include "base/format.h"
#include "tests/support/scratch_directory.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

using namespace walden;
using namespace walden::storage;
using testing::ScratchDirectory;
using vault::ObjectInfo;
using PutOutcome = vault::ObjectStorage::PutOutcome;
namespace fs = std::filesystem;

namespace {

/// nullopt if `call` does not throw.
std::optional<ErrorKind> error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        UNSCOPED_INFO(error.message());
        return error.kind();
    }
    return std::nullopt;
}

std::vector<std::string> list_keys(PosixStorage& storage, const std::string& prefix = "") {
    std::vector<std::string> keys;
    storage.list(prefix, "", [&](const ObjectInfo& info) {
        keys.push_back(info.key);
        return true;
    });
    return keys;
}

std::string get_text(PosixStorage& storage, const std::string& key) {
    Bytes out;
    REQUIRE(storage.get(key, out));
    return std::string(as_text(out));
}

void write_file(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// All names below `root` that start with a dot.
std::vector<std::string> hidden_names(const std::string& root) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(root))
        if (entry.path().filename().string().starts_with("."))
            names.push_back(entry.path().string());
    return names;
}

/// All four reading calls on `key`; each must fail with the kind `expected`.
void check_all_fail(PosixStorage& storage, const std::string& key, ErrorKind expected) {
    INFO(key);
    Bytes out;
    CHECK(error_of([&] { static_cast<void>(storage.get(key, out)); }) == expected);
    CHECK(error_of([&] { static_cast<void>(storage.get_range(key, 0, 1, out)); }) == expected);
    CHECK(error_of([&] { static_cast<void>(storage.stat(key)); }) == expected);
    CHECK(error_of([&] { static_cast<void>(storage.put_new(key, as_bytes("x"))); }) == expected);
}

/// Makes openat2 unknown to the calling thread and the threads it starts, as before Linux 5.6.
bool forbid_openat2() {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Runs `body` on a thread of its own, whose credentials and filters die with it. Catch's macros
/// may be used in it, since the caller does nothing but wait.
void run_in_thread(const std::function<void()>& body) {
    std::exception_ptr failure;
    std::thread([&] {
        try {
            body();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
}

/// Runs `body` without the power over permissions that root has.
void run_unprivileged(const std::function<void()>& body) {
    run_in_thread([&] {
        // Linux keeps these per thread, and takes CAP_DAC_OVERRIDE away with them.
        if (::geteuid() == 0) ::setfsuid(65534);
        body();
    });
}

/// A small file system in memory, if this process may mount one.
class SmallFileSystem {
public:
    explicit SmallFileSystem(const std::string& path) : path_(path) {
        is_mounted_ = ::mount("walden-test", path.c_str(), "tmpfs", 0, "size=1m") == 0;
    }

    SmallFileSystem(const SmallFileSystem&) = delete;
    SmallFileSystem& operator=(const SmallFileSystem&) = delete;

    ~SmallFileSystem() { unmount(); }

    [[nodiscard]] bool is_mounted() const { return is_mounted_; }

    bool remount(const char* options, unsigned long flags) {
        return ::mount("walden-test", path_.c_str(), "tmpfs", MS_REMOUNT | flags, options) == 0;
    }

    void unmount() {
        if (is_mounted_) ::umount2(path_.c_str(), MNT_DETACH);
        is_mounted_ = false;
    }

private:
    std::string path_;
    bool is_mounted_ = false;
};

}  // namespace

TEST_CASE("a store whose directory is missing cannot be opened (fault 31)", "[storage][posix]") {
    const ScratchDirectory scratch;
    CHECK(error_of([&] { PosixStorage storage(scratch.path() + "/missing"); }) ==
          ErrorKind::not_found);
    CHECK_FALSE(fs::exists(scratch.path() + "/missing"));
    write_file(scratch.path() + "/file", "x");
    CHECK(error_of([&] { PosixStorage storage(scratch.path() + "/file"); }) ==
          ErrorKind::not_found);
    CHECK(error_of([&] { PosixStorage storage(scratch.path() + "/file/below"); }) ==
          ErrorKind::not_found);
    CHECK(error_of([&] { PosixStorage storage(""); }) == ErrorKind::usage);
}

TEST_CASE("create_root makes the directory and its parents, and may be repeated",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    const std::string root = scratch.path() + "/a/b/";
    PosixStorage::create_root(root);
    PosixStorage::create_root(root);
    PosixStorage storage(root);
    CHECK(storage.describe() == "file://" + scratch.path() + "/a/b");

    struct stat status {};

    REQUIRE(::stat(root.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a root that goes away makes answers not_found, never absent (fault 31, invariant 16)",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    const std::string root = scratch.path() + "/store";
    PosixStorage::create_root(root);
    PosixStorage storage(root);
    static_cast<void>(storage.put_new("d/known", as_bytes("x")));
    Bytes out;
    REQUIRE_FALSE(storage.get("d/other", out));

    const auto check_everything_fails = [&] {
        check_all_fail(storage, "d/other", ErrorKind::not_found);
        check_all_fail(storage, "new/one", ErrorKind::not_found);
        check_all_fail(storage, "top", ErrorKind::not_found);
        CHECK(error_of([&] { static_cast<void>(list_keys(storage)); }) == ErrorKind::not_found);
        CHECK(error_of([&] { static_cast<void>(list_keys(storage, "nothing/")); }) ==
              ErrorKind::not_found);
        CHECK(error_of([&] { storage.remove(std::vector<std::string>{"d/other"}); }) ==
              ErrorKind::not_found);
    };
    SECTION("moved away") {
        fs::rename(root, scratch.path() + "/elsewhere");
        check_everything_fails();
    }
    SECTION("deleted") {
        fs::remove_all(root);
        check_everything_fails();
        CHECK_FALSE(fs::exists(root));
    }
    SECTION("replaced by another directory") {
        fs::remove_all(root);
        fs::create_directory(root);
        check_everything_fails();
        CHECK(fs::is_empty(root));
    }
    SECTION("replaced by a file") {
        fs::remove_all(root);
        write_file(root, "x");
        check_everything_fails();
    }
}

TEST_CASE("a file system that is unmounted or mounted over is not an empty store (fault 31)",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    Bytes out;
    SECTION("unmounted") {
        SmallFileSystem mount(scratch.path());
        if (!mount.is_mounted()) {
            WARN("skipped: this process may not mount");
            return;
        }
        PosixStorage storage(scratch.path());
        mount.unmount();
        CHECK(error_of([&] { static_cast<void>(storage.get("a", out)); }) == ErrorKind::not_found);
        CHECK(error_of([&] { static_cast<void>(storage.put_new("a", {})); }) ==
              ErrorKind::not_found);
    }
    SECTION("mounted over") {
        PosixStorage storage(scratch.path());
        const SmallFileSystem mount(scratch.path());
        if (!mount.is_mounted()) return;
        CHECK(error_of([&] { static_cast<void>(storage.get("a", out)); }) == ErrorKind::not_found);
        CHECK(error_of([&] { static_cast<void>(list_keys(storage)); }) == ErrorKind::not_found);
    }
}

TEST_CASE("the root may be reached through a symbolic link and by a relative path",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    fs::create_directory(scratch.path() + "/real");
    fs::create_directory_symlink("real", scratch.path() + "/link");
    PosixStorage storage(scratch.path() + "/link");
    CHECK(storage.put_new("a/b", as_bytes("x")) == PutOutcome::created);
    CHECK(fs::exists(scratch.path() + "/real/a/b"));

    const fs::path before = fs::current_path();
    fs::current_path(scratch.path());
    PosixStorage relative("real");
    fs::current_path(before);
    CHECK(get_text(relative, "a/b") == "x");
    CHECK(relative.describe() == "file://" + scratch.path() + "/real");
}

TEST_CASE("nothing below the root is reached through a symbolic link (fault 48)",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    const std::string root = scratch.path() + "/store", outside = scratch.path() + "/outside";
    fs::create_directories(root + "/d");
    fs::create_directories(outside);
    write_file(outside + "/secret", "secret");

    const auto check_links = [&] {
        PosixStorage storage(root);
        fs::create_symlink(outside + "/secret", root + "/d/link");
        fs::create_symlink(outside + "/nothing", root + "/d/dangling");
        fs::create_directory_symlink(outside, root + "/parent");
        fs::create_directory_symlink("d", root + "/inner");
        for (const char* key : {"d/link", "d/dangling", "parent/secret", "parent/new",
                                "parent/deep/new", "inner/new"})
            check_all_fail(storage, key, ErrorKind::io);
        CHECK(error_of([&] { static_cast<void>(list_keys(storage, "d/")); }) == ErrorKind::io);
        CHECK(error_of([&] { static_cast<void>(list_keys(storage, "parent/")); }) == ErrorKind::io);
        CHECK(error_of([&] { storage.remove(std::vector<std::string>{"parent/secret"}); }) ==
              ErrorKind::io);
        // Removing a link under a key removes the link.
        storage.remove(std::vector<std::string>{"d/link"});
        CHECK(fs::exists(outside + "/secret"));
        CHECK(std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1);
    };
    SECTION("with openat2") {
        check_links();
    }
    SECTION("on a kernel without openat2") {
        run_in_thread([&] {
            REQUIRE(forbid_openat2());
            check_links();
        });
    }
}

TEST_CASE("everything works on a kernel without openat2", "[storage][posix]") {
    const ScratchDirectory scratch;
    run_in_thread([&] {
        REQUIRE(forbid_openat2());
        PosixStorage storage(scratch.path());
        CHECK(storage.put_new("a/b/c", as_bytes("x")) == PutOutcome::created);
        CHECK(storage.put_new("top", as_bytes("y")) == PutOutcome::created);
        CHECK(storage.put_new("a/b/c", as_bytes("z")) == PutOutcome::already_present);
        CHECK(get_text(storage, "a/b/c") == "x");
        CHECK(storage.stat("top")->size == 1);
        Bytes out;
        CHECK_FALSE(storage.get("a/b/d", out));
        CHECK_FALSE(storage.get("a/x/d", out));
        CHECK_FALSE(storage.get("a/b/c/d", out));
        CHECK(list_keys(storage) == std::vector<std::string>{"a/b/c", "top"});
        storage.remove(std::vector<std::string>{"a/b/c"});
        CHECK(list_keys(storage) == std::vector<std::string>{"top"});
    });
}

TEST_CASE("what is not an ordinary file is an error under a key, and no hang (fault 48)",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    REQUIRE(::mkfifo((scratch.path() + "/fifo").c_str(), 0600) == 0);
    fs::create_directory(scratch.path() + "/directory");
    check_all_fail(storage, "fifo", ErrorKind::io);
    check_all_fail(storage, "directory", ErrorKind::io);
    if (::mknod((scratch.path() + "/zero").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0)
        check_all_fail(storage, "zero", ErrorKind::io);
    CHECK(error_of([&] { static_cast<void>(list_keys(storage)); }) == ErrorKind::io);
    CHECK(error_of([&] { storage.remove(std::vector<std::string>{"directory"}); }) ==
          ErrorKind::io);
    // An object cannot be the directory of another.
    static_cast<void>(storage.put_new("file", as_bytes("x")));
    CHECK(error_of([&] { static_cast<void>(storage.put_new("file/below", {})); }) == ErrorKind::io);
    CHECK(get_text(storage, "file") == "x");
}

TEST_CASE("a file larger than an object is an error, not memory", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    write_file(scratch.path() + "/huge", "");
    fs::resize_file(scratch.path() + "/huge", std::uintmax_t{1} << 40);
    check_all_fail(storage, "huge", ErrorKind::io);
}

TEST_CASE("a file that holds less than it has bytes is an error, not a short answer",
          "[storage][posix]") {
    // sysfs says 4096 bytes of each attribute, whose text ends much earlier: what a file looks like
    // that shrinks between fstat and read.
    if (::access("/sys/kernel/fscaps", R_OK) != 0) {
        WARN("skipped: no /sys/kernel/fscaps");
        return;
    }
    PosixStorage storage("/sys/kernel");
    REQUIRE(storage.stat("fscaps")->size > 100);
    Bytes out;
    CHECK(error_of([&] { static_cast<void>(storage.get("fscaps", out)); }) == ErrorKind::io);
    CHECK(error_of([&] { static_cast<void>(storage.get_range("fscaps", 0, 100, out)); }) ==
          ErrorKind::io);
    CHECK(storage.get_range("fscaps", 0, 1, out));
}

TEST_CASE("a component that no file can have is absent, and cannot be stored", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    const std::string key = "d/" + std::string(300, 'k');
    Bytes out;
    CHECK_FALSE(storage.get(key, out));
    CHECK_FALSE(storage.stat(key).has_value());
    CHECK(error_of([&] { static_cast<void>(storage.put_new(key, {})); }) == ErrorKind::io);
    CHECK(hidden_names(scratch.path()).empty());
}

TEST_CASE("listings and reads do not see temporaries or names that are no keys",
          "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    static_cast<void>(storage.put_new("d/object", {}));
    write_file(scratch.path() + "/d/.tmp.00000001.1.0000000000000001.0", "half");
    write_file(scratch.path() + "/d/backup~", "x");
    fs::create_directory(scratch.path() + "/lost+found");
    fs::create_directory(scratch.path() + "/.snapshot");
    write_file(scratch.path() + "/.snapshot/x", "x");
    CHECK(list_keys(storage) == std::vector<std::string>{"d/object"});
}

TEST_CASE("a failed or successful put leaves no temporary behind", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    static_cast<void>(storage.put_new("d/object", as_bytes("x")));
    static_cast<void>(storage.put_new("d/object", as_bytes("y")));
    fs::create_directory(scratch.path() + "/d/directory");
    CHECK(error_of([&] { static_cast<void>(storage.put_new("d/directory", {})); }) ==
          ErrorKind::io);
    CHECK(hidden_names(scratch.path()).empty());

    struct stat status {};

    REQUIRE(::stat((scratch.path() + "/d/object").c_str(), &status) == 0);
    CHECK(status.st_nlink == 1);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("directories that somebody removed are made again", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    static_cast<void>(storage.put_new("a/b/c/1", {}));
    fs::remove_all(scratch.path() + "/a");
    CHECK(storage.put_new("a/b/c/2", {}) == PutOutcome::created);
    fs::remove_all(scratch.path() + "/a/b");
    CHECK(storage.put_new("a/b/d/3", {}) == PutOutcome::created);
    CHECK(list_keys(storage) == std::vector<std::string>{"a/b/d/3"});
}

TEST_CASE("missing permissions are denied, never absent", "[storage][posix]") {
    const ScratchDirectory scratch;
    const std::string root = scratch.path() + "/store";
    PosixStorage::create_root(root);
    PosixStorage storage(root);
    static_cast<void>(storage.put_new("d/readable", as_bytes("x")));
    static_cast<void>(storage.put_new("d/secret", as_bytes("x")));
    static_cast<void>(storage.put_new("closed/x", as_bytes("x")));
    fs::permissions(scratch.path(), fs::perms{0755});
    fs::permissions(root, fs::perms{0555});
    fs::permissions(root + "/d", fs::perms{0555});
    fs::permissions(root + "/d/readable", fs::perms{0444});
    fs::permissions(root + "/d/secret", fs::perms{0000});
    fs::permissions(root + "/closed", fs::perms{0000});
    run_unprivileged([&] {
        Bytes out;
        CHECK(storage.get("d/readable", out));
        CHECK_FALSE(storage.get("d/nothing", out));
        CHECK(error_of([&] { static_cast<void>(storage.get("d/secret", out)); }) ==
              ErrorKind::denied);
        CHECK(error_of([&] { static_cast<void>(storage.get("closed/x", out)); }) ==
              ErrorKind::denied);
        CHECK(error_of([&] { static_cast<void>(storage.get("closed/nothing", out)); }) ==
              ErrorKind::denied);
        CHECK(error_of([&] { static_cast<void>(storage.put_new("d/new", {})); }) ==
              ErrorKind::denied);
        CHECK(error_of([&] { static_cast<void>(storage.put_new("e/new", {})); }) ==
              ErrorKind::denied);
        CHECK(error_of([&] { storage.remove(std::vector<std::string>{"d/readable"}); }) ==
              ErrorKind::denied);
        // An unreadable directory spoils the listing, but only one that needs it.
        CHECK(error_of([&] { static_cast<void>(list_keys(storage)); }) == ErrorKind::denied);
        CHECK(list_keys(storage, "d/") == std::vector<std::string>{"d/readable", "d/secret"});
    });
    fs::permissions(root + "/closed", fs::perms{0700});
}

TEST_CASE("a full disk is an error that ends when space returns (fault 8)", "[storage][posix]") {
    const ScratchDirectory scratch;
    SmallFileSystem mount(scratch.path());
    if (!mount.is_mounted()) {
        WARN("skipped: this process may not mount");
        return;
    }
    PosixStorage storage(scratch.path());
    const Bytes body(400'000, std::byte{7});
    CHECK(storage.put_new("d/1", body) == PutOutcome::created);
    CHECK(storage.put_new("d/2", body) == PutOutcome::created);
    CHECK(error_of([&] { static_cast<void>(storage.put_new("d/3", body)); }) == ErrorKind::io);
    CHECK(hidden_names(scratch.path()).empty());
    CHECK(list_keys(storage) == std::vector<std::string>{"d/1", "d/2"});
    // What is there needs no space to be found there (fault 18).
    CHECK(storage.put_new("d/2", body) == PutOutcome::already_present);
    storage.remove(std::vector<std::string>{"d/1"});
    CHECK(storage.put_new("d/3", body) == PutOutcome::created);
}

TEST_CASE("a read-only file system is an error with a clear text (fault 32)", "[storage][posix]") {
    const ScratchDirectory scratch;
    SmallFileSystem mount(scratch.path());
    if (!mount.is_mounted()) {
        WARN("skipped: this process may not mount");
        return;
    }
    PosixStorage storage(scratch.path());
    static_cast<void>(storage.put_new("d/1", as_bytes("x")));
    REQUIRE(mount.remount("size=1m", MS_RDONLY));
    for (const char* key : {"d/2", "e/1"}) {
        try {
            static_cast<void>(storage.put_new(key, {}));
            FAIL("stored on a read-only file system");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::io);
            CHECK_THAT(error.message(), Catch::EndsWith(": Read-only file system"));
        }
    }
    CHECK(get_text(storage, "d/1") == "x");
    CHECK(storage.put_new("d/1", {}) == PutOutcome::already_present);
}

TEST_CASE("temporary names invert, and nothing else parses as one", "[storage][posix]") {
    TemporaryNames names;
    const std::string first = names.next(), second = names.next();
    CHECK(first != second);
    const std::optional<TemporaryName> parsed = parse_temporary_name(first);
    REQUIRE(parsed.has_value());
    CHECK(parsed->pid == ::getpid());
    CHECK(parsed->boot == names.boot());
    CHECK(to_string(*parsed) == first);
    for (const char* text :
         {"", ".tmp.", ".tmp.1.2.3.4", ".tmp.00000001.0.0000000000000001.0",
          ".tmp.00000001.-5.0000000000000001.0", ".tmp.00000001.5.0000000000000001",
          ".tmp.00000001.5.0000000000000001.0.", ".tmp.00000001.5.0000000000000001.00",
          ".tmp.00000001.99999999999.0000000000000001.0", ".tmp.0000000A.5.0000000000000001.0",
          "tmp.00000001.5.0000000000000001.0", ".tmp.000000001.5.0000000000000001.0"})
        CHECK_FALSE(parse_temporary_name(text).has_value());
    CHECK(parse_temporary_name(".tmp.00000001.5.0000000000000001.0").has_value());
}

TEST_CASE("a sweep takes old temporaries of the dead, and nothing else", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    static_cast<void>(storage.put_new("a/b/object", as_bytes("x")));
    TemporaryNames names;
    // The pid of a child that was waited for is free, and far from being used again.
    const pid_t dead = ::fork();
    if (dead == 0) ::_exit(0);
    REQUIRE(::waitpid(dead, nullptr, 0) == dead);
    const std::string directory = scratch.path() + "/a/b/";
    const auto put = [&](std::uint32_t boot, pid_t pid) {
        const std::string path = directory + to_string({boot, pid, 1, 2});
        write_file(path, "half");
        return path;
    };
    const std::string of_other_boot = put(names.boot() ^ 1, ::getpid());
    const std::string of_dead = put(names.boot(), dead);
    const std::string of_living = put(names.boot(), ::getpid());
    write_file(directory + ".tmp.somebody", "x");
    fs::create_directory_symlink(scratch.path(), directory + "loop");
    fs::create_directory(directory + ".tmp.00000001.5.0000000000000001.0");

    const auto now = std::chrono::system_clock::now();
    CHECK(storage.sweep_temporaries(now + std::chrono::minutes(59), 1000).removed_count == 0);
    const SweepResult cut_short = storage.sweep_temporaries(now + std::chrono::hours(2), 1);
    CHECK_FALSE(cut_short.is_complete);
    CHECK(cut_short.examined_count == 1);
    const SweepResult result = storage.sweep_temporaries(now + std::chrono::hours(2), 1000);
    CHECK(result.removed_count == 2);
    CHECK(result.is_complete);
    CHECK_FALSE(fs::exists(of_other_boot));
    CHECK_FALSE(fs::exists(of_dead));
    CHECK(fs::exists(of_living));
    CHECK(fs::exists(directory + ".tmp.somebody"));
    CHECK(fs::exists(directory + ".tmp.00000001.5.0000000000000001.0"));
    CHECK(get_text(storage, "a/b/object") == "x");
    fs::remove_all(scratch.path() + "/a");
    CHECK(storage.sweep_temporaries(now, 1000).is_complete);
}

TEST_CASE("a listing survives directories and files that disappear meanwhile", "[storage][posix]") {
    const ScratchDirectory scratch;
    PosixStorage storage(scratch.path());
    for (const char* key : {"a/1", "b/1", "b/2", "c/1"})
        static_cast<void>(storage.put_new(key, {}));
    std::vector<std::string> keys;
    storage.list("", "", [&](const ObjectInfo& info) {
        keys.push_back(info.key);
        if (info.key == "a/1") fs::remove_all(scratch.path() + "/b");
        return true;
    });
    CHECK(keys == std::vector<std::string>{"a/1", "c/1"});
}

TEST_CASE("errno values become the kinds that callers act on", "[storage][posix]") {
    for (const int denied : {EACCES, EPERM}) CHECK(kind_of_errno(denied) == ErrorKind::denied);
    for (const int io : {ENOSPC, EDQUOT, EROFS, EFBIG, ELOOP, ENOTDIR, EISDIR, ENAMETOOLONG})
        CHECK(kind_of_errno(io) == ErrorKind::io);
    for (const int passing : {EIO, ESTALE, ETIMEDOUT, EINTR, EMFILE, ENOTCONN, ENOENT})
        CHECK(kind_of_errno(passing) == ErrorKind::unavailable);
}
