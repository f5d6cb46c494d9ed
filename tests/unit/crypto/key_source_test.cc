#include "crypto/key_source.h"

#include "crypto/process_memory.h"
#include "crypto_test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

using namespace walden;
using namespace walden::crypto;

namespace {

/// A directory of its own, removed at the end.
class Scratch {
public:
    Scratch() {
        std::string name = std::filesystem::temp_directory_path() / "walden-key-source-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }

    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

    /// Writes a file of this mode, whatever the umask, and returns its path.
    [[nodiscard]] std::string write(const std::string& name, std::string_view text,
                                    mode_t mode) const {
        write_file_durably(path(name), as_bytes(text), 0600);
        REQUIRE(::chmod(path(name).c_str(), mode) == 0);
        return path(name);
    }

private:
    std::string path_;
};

std::string key_text(const UnlockSecret& secret) {
    return std::string(as_text(secret.to_key_text()));
}

bool is_same_key(const UnlockSecret& a, const UnlockSecret& b) {
    return a.source() == b.source() && a.slot_id() == b.slot_id() &&
           equal(a.unlock_key({}, {}).view(), b.unlock_key({}, {}).view());
}

KeyCommand shell(const std::string& script,
                 std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    return {.argv = {"sh", "-c", script}, .timeout = timeout};
}

bool has_no_child() {
    return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

std::string text_of(const Error& error) {
    return error.message() + " " + error.detail() + " " + error.hint();
}

}  // namespace

TEST_CASE("a key file that was written loads to the same key", "[crypto][key_source]") {
    const Scratch scratch;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const std::vector<std::string> comments{"walden key of db1", "keep a copy elsewhere"};
    write_key_file(scratch.path("key"), secret, comments);
    CHECK(is_same_key(load_unlock_secret(KeyFile{scratch.path("key")}), secret));

    struct stat status {};

    REQUIRE(::stat(scratch.path("key").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    const auto bytes = read_file(scratch.path("key"), 4096);
    REQUIRE(bytes.has_value());
    CHECK(as_text(*bytes).starts_with("# walden key of db1\n# keep a copy elsewhere\nWALDEN-KEY"));
}

TEST_CASE("writing a key file never replaces one and leaves no temporary", "[crypto][key_source]") {
    const Scratch scratch;
    const UnlockSecret first = UnlockSecret::make_random_key();
    write_key_file(scratch.path("key"), first, {});
    CHECK(kind_of([&] {
              write_key_file(scratch.path("key"), UnlockSecret::make_random_key(), {});
          }) == ErrorKind::conflict);
    CHECK(is_same_key(load_unlock_secret(KeyFile{scratch.path("key")}), first));
    const std::filesystem::directory_iterator files(scratch.path(""));
    CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("a comment that would become a line of its own is refused", "[crypto][key_source]") {
    const Scratch scratch;
    const std::vector<std::string> comments{"a\nWALDEN-KEY-1-"};
    CHECK(kind_of([&] {
              write_key_file(scratch.path("key"), UnlockSecret::make_random_key(), comments);
          }) == ErrorKind::usage);
    CHECK_FALSE(std::filesystem::exists(scratch.path("key")));
}

TEST_CASE("a key file that group or others can read or write is refused (fault 95)",
          "[crypto][key_source]") {
    const Scratch scratch;
    const std::string text = key_text(UnlockSecret::make_random_key());
    const mode_t mode = GENERATE(0640U, 0604U, 0620U, 0602U, 0644U, 0666U, 0440U);
    const std::string path = scratch.write("key", text, mode);
    for (const KeySource& source : {KeySource(KeyFile{path}), KeySource(PassphraseFile{path})}) {
        const auto error = error_of([&] { (void)load_unlock_secret(source); });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::denied);
        CHECK(error->hint().find("chmod 600") != std::string::npos);
        char octal[8];
        std::snprintf(octal, sizeof octal, "%04o", static_cast<unsigned>(mode));
        CHECK(error->message().find(octal) != std::string::npos);
        CHECK(text_of(*error).find(text.substr(13, 20)) == std::string::npos);
    }
}

TEST_CASE("a key file that only its owner can read is accepted, through a link too",
          "[crypto][key_source]") {
    const Scratch scratch;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const mode_t mode = GENERATE(0600U, 0400U, 0700U);
    const std::string path = scratch.write("key", key_text(secret), mode);
    CHECK(is_same_key(load_unlock_secret(KeyFile{path}), secret));
    REQUIRE(::symlink(path.c_str(), scratch.path("link").c_str()) == 0);
    CHECK(is_same_key(load_unlock_secret(KeyFile{scratch.path("link")}), secret));
}

TEST_CASE("a key file of a stranger is refused (fault 95)", "[crypto][key_source]") {
    const Scratch scratch;
    const std::string path = scratch.write("key", key_text(UnlockSecret::make_random_key()), 0600);
    if (::geteuid() != 0) return;  // only root can give files away
    REQUIRE(::chown(path.c_str(), 12345, 0) == 0);
    CHECK(kind_of([&] { (void)load_unlock_secret(KeyFile{path}); }) == ErrorKind::denied);
}

TEST_CASE("what is no ordinary file is refused without waiting for it", "[crypto][key_source]") {
    const Scratch scratch;
    REQUIRE(::mkfifo(scratch.path("fifo").c_str(), 0600) == 0);
    REQUIRE(::mkdir(scratch.path("directory").c_str(), 0700) == 0);
    CHECK(kind_of([&] { (void)load_unlock_secret(KeyFile{scratch.path("fifo")}); }) ==
          ErrorKind::denied);
    CHECK(kind_of([&] { (void)load_unlock_secret(KeyFile{scratch.path("directory")}); }) ==
          ErrorKind::denied);
    CHECK(kind_of([&] { (void)load_unlock_secret(KeyFile{scratch.path("none")}); }) ==
          ErrorKind::not_found);
    const std::string large = scratch.write("large", std::string(4097, '#'), 0600);
    CHECK(kind_of([&] { (void)load_unlock_secret(KeyFile{large}); }) == ErrorKind::usage);
}

TEST_CASE("a passphrase is the first line of its file", "[crypto][key_source]") {
    const Scratch scratch;
    const ScryptCost cheap{.n = 1 << 10, .r = 1, .p = 1};
    const auto key = [&](const UnlockSecret& secret) {
        return to_hex(secret.unlock_key(cheap, as_bytes("salt")).view());
    };
    const std::string expected = key(UnlockSecret::from_passphrase(" two words "));
    for (const std::string_view text : {" two words ", " two words \n", " two words \r\nmore\n"}) {
        const std::string path = scratch.write("passphrase", text, 0600);
        CHECK(key(load_unlock_secret(PassphraseFile{path})) == expected);
    }
    const std::string empty = scratch.write("passphrase", "\nsecond line\n", 0600);
    CHECK(kind_of([&] { (void)load_unlock_secret(PassphraseFile{empty}); }) == ErrorKind::usage);
}

TEST_CASE("a key comes from an environment variable or from memory", "[crypto][key_source]") {
    const UnlockSecret secret = UnlockSecret::make_random_key();
    REQUIRE(::setenv("WALDEN_TEST_KEY", key_text(secret).c_str(), 1) == 0);
    CHECK(is_same_key(load_unlock_secret(KeyEnvironment{"WALDEN_TEST_KEY"}), secret));
    REQUIRE(::setenv("WALDEN_TEST_KEY", "hunter2", 1) == 0);
    const auto error =
        error_of([] { (void)load_unlock_secret(KeyEnvironment{"WALDEN_TEST_KEY"}); });
    REQUIRE(error.has_value());
    CHECK(error->message().find("WALDEN_TEST_KEY") != std::string::npos);
    CHECK(text_of(*error).find("hunter2") == std::string::npos);
    REQUIRE(::unsetenv("WALDEN_TEST_KEY") == 0);
    CHECK(kind_of([] { (void)load_unlock_secret(KeyEnvironment{"WALDEN_TEST_KEY"}); }) ==
          ErrorKind::usage);
    CHECK(is_same_key(load_unlock_secret(secret), secret));
}

TEST_CASE("a key command's output is the key, and no child is left", "[crypto][key_source]") {
    const Scratch scratch;
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const std::string path = scratch.write("key", "# by a command\n" + key_text(secret), 0600);
    CHECK(is_same_key(load_unlock_secret(KeyCommand{.argv = {"cat", path}}), secret));
    CHECK(is_same_key(load_unlock_secret(KeyCommand{.argv = {"/bin/cat", path}}), secret));
    // In two writes with a pause that the reader must sit out.
    CHECK(is_same_key(load_unlock_secret(shell("head -c 30 " + path + "; tail -c +31 " + path)),
                      secret));
    CHECK(has_no_child());
}

TEST_CASE("a key command is not run by a shell", "[crypto][key_source]") {
    const Scratch scratch;
    const std::string mark = scratch.path("mark");
    CHECK(kind_of([&] { (void)run_key_command({.argv = {"touch " + mark}}); }) == ErrorKind::usage);
    const Bytes out = run_key_command({.argv = {"echo", "$HOME; touch " + mark}});
    CHECK(as_text(out) == "$HOME; touch " + mark + "\n");
    CHECK_FALSE(std::filesystem::exists(mark));
    // A script without an interpreter line would be given to a shell by execvp.
    const std::string script = scratch.write("script", "touch " + mark + "\n", 0700);
    CHECK(kind_of([&] { (void)run_key_command({.argv = {script}}); }) == ErrorKind::usage);
    CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("a key command that fails is denied, and its output is not shown",
          "[crypto][key_source]") {
    // (invariant 38)
    for (const std::string& script :
         {std::string("echo hunter2; exit 3"), std::string("echo hunter2; kill -9 $$")}) {
        const auto error = error_of([&] { (void)load_unlock_secret(shell(script)); });
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::denied);
        CHECK(error->message().find("\"sh\"") != std::string::npos);
        CHECK(text_of(*error).find("hunter2") == std::string::npos);
    }
    const auto error = error_of([] { (void)load_unlock_secret(shell("echo hunter2")); });
    REQUIRE(error.has_value());
    CHECK(error->kind() == ErrorKind::usage);
    CHECK(text_of(*error).find("hunter2") == std::string::npos);
    CHECK(kind_of([] { (void)run_key_command({.argv = {"/nonexistent/command"}}); }) ==
          ErrorKind::usage);
    CHECK(kind_of([] { (void)run_key_command({.argv = {}}); }) == ErrorKind::usage);
    CHECK(has_no_child());
}

TEST_CASE("a key command that prints without end is stopped", "[crypto][key_source]") {
    CHECK(kind_of([] {
              (void)run_key_command({.argv = {"cat", "/dev/zero"}});
          }) == ErrorKind::usage);
    CHECK(has_no_child());
    const Bytes most = run_key_command({.argv = {"head", "-c", "4096", "/dev/zero"}});
    CHECK(most.size() == 4096);
}

TEST_CASE("a key command that hangs is killed with all its children", "[crypto][key_source]") {
    const Scratch scratch;
    const std::string fifo = scratch.path("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    // Our end of the FIFO hangs up when the last process that holds the other one is gone.
    const FileDescriptor held(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(held.valid());
    const std::string rest =
        GENERATE("sleep 1000 & wait",                    // a grandchild that holds stdout
                 "exec >/dev/null; sleep 1000 & wait");  // stdout closed, but not ended
    const std::string script = "exec 9>" + fifo + "; " + rest;
    const auto start = std::chrono::steady_clock::now();
    CHECK(kind_of([&] { (void)run_key_command(shell(script, std::chrono::milliseconds(300))); }) ==
          ErrorKind::unavailable);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(8));
    CHECK(has_no_child());
    pollfd waiting{.fd = held.get(), .events = POLLIN, .revents = 0};
    CHECK(::poll(&waiting, 1, 10'000) == 1);
    CHECK((waiting.revents & POLLHUP) != 0);
}

TEST_CASE("a key command gets an empty stdin, default signals and no other descriptor",
          "[crypto][key_source]") {
    const int inheritable = ::fcntl(STDERR_FILENO, F_DUPFD, 50);
    REQUIRE(inheritable >= 50);
    const FileDescriptor closed_later(inheritable);
    const auto old_handler = ::signal(SIGTERM, SIG_IGN);
    const Bytes out = run_key_command(shell("read line && exit 3; test -e /proc/$$/fd/" +
                                            std::to_string(inheritable) +
                                            " && exit 4; grep SigIgn /proc/$$/status"));
    ::signal(SIGTERM, old_handler);
    // glibc keeps its own signals 32 and 33 ignored.
    REQUIRE(as_text(out).starts_with("SigIgn:\t"));
    CHECK((std::stoull(std::string(as_text(out).substr(8)), nullptr, 16) & 0x7FFFFFFF) == 0);
}

TEST_CASE("a protected process dumps no core and cannot be traced", "[crypto][process_memory]") {
    // In a child: the limit cannot be raised again.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        protect_process_memory();
        rlimit limit{};
        ::getrlimit(RLIMIT_CORE, &limit);
        const bool is_protected =
            limit.rlim_cur == 0 && limit.rlim_max == 0 && ::prctl(PR_GET_DUMPABLE) == 0;
        ::_exit(is_protected ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
