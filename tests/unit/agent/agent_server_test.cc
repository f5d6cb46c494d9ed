#include "agent/agent_server.h"

#include "agent/client.h"
#include "base/random.h"
#include "support/archive_fixture.h"
#include "support/memory_storage.h"
#include "support/scratch_directory.h"
#include "support/served_archive.h"
#include "support/served_recovery.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>

using namespace walden;
using namespace walden::agent;
using namespace walden::test;
using storage::MemoryStorage;

namespace {

const Caller self{.version = "0.1.0", .configuration = 42};

/// A served host behind a socket.
struct Running {
    explicit Running(std::chrono::milliseconds idle_timeout = std::chrono::minutes(10),
                     const std::string& name = "agent.sock")
        : served(storage),
          recovery(storage, scratch.path() + "/data/pg_wal"),
          socket(scratch.path() + "/" + name) {
        put_test_identity(make_vault(storage));
        make_directories(scratch.path() + "/data/global");
        make_directories(scratch.path() + "/data/pg_wal");
        NewFile control(scratch.path() + "/data/global/pg_control", 0600);
        control.commit_replacing();
        make_directories(parent_directory(socket));
        server = std::make_unique<Server>(
            listen_at(socket), Services{*served.look_ahead, *recovery.prefetcher},
            ServerOptions{
                .self = self, .pgdata = scratch.path() + "/data", .idle_timeout = idle_timeout});
    }

    [[nodiscard]] AskOptions options() const {
        return {.socket_path = socket,
                .deadline = agent::Clock::now() + std::chrono::seconds(60),
                .user = ::geteuid()};
    }

    [[nodiscard]] Question question(const std::string& name, Caller caller = self) const {
        return {.caller = std::move(caller),
                .type = MessageType::archive,
                .file_name = name,
                .file_version = *find_file(served.host.path(name))};
    }

    testing::ScratchDirectory scratch;
    MemoryStorage storage;
    ServedHost served;
    ServedRecovery recovery;
    std::string socket;
    std::unique_ptr<Server> server;
};

}  // namespace

TEST_CASE("a client asks, the file is archived, the client is told", "[server]") {
    Running running;
    const auto line = make_line({.count = 3, .record_count = 40});
    running.served.make_ready(line);
    for (const WalFile& file : line) {
        const AskResult result = ask(running.question(file.name), running.options());
        REQUIRE(result.outcome == AskOutcome::answered);
        CHECK(result.type == MessageType::archived);
        CHECK(decode_archived(result.body));
        CHECK(equal(*fetch(make_vault(running.storage), file.name), file.bytes));
    }
    const AskResult status =
        ask({.caller = {.version = "9", .configuration = 1}, .type = MessageType::status},
            running.options());
    CHECK(decode_status(status.body)->archive.archived_count == 3);
    CHECK(decode_status(status.body)->pid == static_cast<std::uint64_t>(::getpid()));
    CHECK(decode_status(status.body)->memory_resident > 0);
}

TEST_CASE("another version or configuration is declined, and the agent leaves (row 35)",
          "[server]") {
    for (const Caller& other : {Caller{.version = "0.2.0", .configuration = 42},
                                Caller{.version = "0.1.0", .configuration = 43}}) {
        Running running;
        const auto line = make_line({.count = 1, .record_count = 40});
        running.served.make_ready(line);
        const AskResult result = ask(running.question(line[0].name, other), running.options());
        CHECK(result.outcome == AskOutcome::declined);
        CHECK_FALSE(result.text.empty());
        CHECK(running.server->wait() == LeaveReason::superseded);
        CHECK(ask(running.question(line[0].name), running.options()).outcome !=
              AskOutcome::answered);
    }
}

TEST_CASE("an agent leaves when it is idle, asked to, or has lost its data directory", "[server]") {
    {
        Running running(std::chrono::milliseconds(1));
        CHECK(running.server->wait() == LeaveReason::idle);
    }
    {
        Running running;
        const AskResult result =
            ask({.caller = self, .type = MessageType::stop}, running.options());
        CHECK(result.type == MessageType::stopping);
        CHECK(running.server->wait() == LeaveReason::asked);
    }
    {
        Running running;
        std::filesystem::rename(running.scratch.path() + "/data", running.scratch.path() + "/gone");
        CHECK(running.server->wait() == LeaveReason::no_data_directory);
    }
}

TEST_CASE("hostile bytes on the socket get an answer or a closed connection", "[server]") {
    Running running;
    const auto line = make_line({.count = 1, .record_count = 40});
    running.served.make_ready(line);
    const Bytes good = encode_question(running.question(line[0].name));
    for (std::size_t i = 0; i < 64; ++i) {
        Bytes bytes = good;
        const auto random = random_array<2>();
        // Not in version and configuration: another one of these is a reason to leave.
        const std::size_t at = std::to_integer<std::size_t>(random[0]) % 48;
        bytes[at < message_header_size ? at : at + 15] ^= random[1] | std::byte{1};
        if (i % 4 == 0) bytes.resize(i);
        const FileDescriptor fd = connect_to(running.socket);
        REQUIRE(fd.valid());
        static_cast<void>(
            send_message(fd.get(), bytes, agent::Clock::now() + std::chrono::seconds(5)));
        ::shutdown(fd.get(), SHUT_WR);
        const Received received =
            receive_message(fd.get(), agent::Clock::now() + std::chrono::seconds(30));
        CHECK((received.receipt == Receipt::message || received.receipt == Receipt::closed));
    }
    CHECK(ask(running.question(line[0].name), running.options()).outcome == AskOutcome::answered);
}

TEST_CASE("a client that nobody answers gives up: stuck is not waited for (row 35)", "[client]") {
    const testing::ScratchDirectory scratch;
    const std::string socket = scratch.path() + "/s";
    AskOptions options{.socket_path = socket,
                       .deadline = agent::Clock::now() + std::chrono::seconds(60),
                       .silence_max = std::chrono::milliseconds(20),
                       .user = ::geteuid()};
    const Question question{.caller = self, .type = MessageType::status};
    CHECK(ask(question, options).outcome == AskOutcome::absent);
    FileDescriptor listener = listen_at(socket);
    CHECK(ask(question, options).outcome == AskOutcome::unusable);
    options.deadline = agent::Clock::now() + std::chrono::milliseconds(5);
    options.silence_max = std::chrono::seconds(10);
    CHECK(ask(question, options).outcome == AskOutcome::deadline_passed);
    { const FileDescriptor closed = std::move(listener); }
    CHECK(ask(question, options).outcome == AskOutcome::absent);
    // A file that is no socket.
    std::filesystem::remove(socket);
    NewFile garbage(socket, 0600);
    garbage.write(as_bytes("garbage"));
    garbage.commit_replacing();
    CHECK(ask(question, options).outcome == AskOutcome::absent);
}

TEST_CASE("answers of another user's agent are not believed", "[client]") {
    Running running;
    AskOptions options = running.options();
    options.user = ::geteuid() + 1;
    const Question question{.caller = self, .type = MessageType::status};
    const AskResult result = ask(question, options);
    // Root's agents are believed by everybody.
    CHECK(result.outcome == (::geteuid() == 0 ? AskOutcome::answered : AskOutcome::unusable));
}

TEST_CASE("a socket may have a path of any length", "[server]") {
    Running running(std::chrono::minutes(10), std::string(150, 'n') + "/agent.sock");
    const Question question{.caller = self, .type = MessageType::status};
    CHECK(ask(question, running.options()).outcome == AskOutcome::answered);
    CHECK(std::filesystem::status(running.socket).permissions() ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}
