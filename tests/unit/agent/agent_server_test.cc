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
#include <sys/resource.h>
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
                     const std::string& name = "agent.sock", Caller me = self)
        : served(storage),
          recoveries([this](const std::string& data_directory) {
              servers.push_back(
                  std::make_unique<ServedRecovery>(storage, data_directory + "/pg_wal"));
              return std::move(servers.back()->prefetcher);
          }),
          socket(scratch.path() + "/" + name) {
        put_test_identity(make_vault(storage));
        make_data_directory("data");
        make_directories(parent_directory(socket));
        server =
            std::make_unique<Server>(listen_at(socket), Services{*served.look_ahead, recoveries},
                                     ServerOptions{.self = std::move(me),
                                                   .pgdata = scratch.path() + "/data",
                                                   .idle_timeout = idle_timeout});
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

    std::string make_data_directory(const std::string& name) const {
        const std::string path = scratch.path() + "/" + name;
        make_directories(path + "/global");
        make_directories(path + "/pg_wal");
        NewFile control(path + "/global/pg_control", 0600);
        control.commit_replacing();
        return path;
    }

    /// What the server in `data_directory` asks for.
    [[nodiscard]] Question fetch_question(const std::string& data_directory,
                                          const std::string& name) const {
        return {.caller = self,
                .type = MessageType::fetch,
                .file_name = name,
                .data_directory = data_directory,
                .wal_directory = *find_directory(data_directory + "/pg_wal")};
    }

    [[nodiscard]] AgentStatus status() const {
        const AskResult result = ask({.caller = self, .type = MessageType::status}, options());
        return *decode_status(result.body);
    }

    testing::ScratchDirectory scratch;
    MemoryStorage storage;
    ServedHost served;
    std::vector<std::unique_ptr<ServedRecovery>> servers;
    Recoveries recoveries;
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

TEST_CASE("two servers recover at once, each from its own data directory", "[server]") {
    Running running;
    const auto line = make_line({.count = 2, .record_count = 40});
    for (const WalFile& file : line) running.served.host.push(make_vault(running.storage), file);
    const std::string original = running.scratch.path() + "/data";
    const std::string copy = running.make_data_directory("copy");
    for (const std::string& server : {original, copy, original}) {
        const AskResult result =
            ask(running.fetch_question(server, line[0].name), running.options());
        REQUIRE(result.outcome == AskOutcome::answered);
        CHECK(result.type == MessageType::fetched);
        CHECK(result.file.valid());
    }
    CHECK(running.servers.size() == 2);
    const AgentStatus status = running.status();
    REQUIRE(status.recoveries.size() == 2);
    CHECK(status.recoveries[0].data_directory == original);
    CHECK(status.recoveries[0].prefetch.question_count == 2);
    CHECK(status.recoveries[1].prefetch.question_count == 1);
    CHECK(status.declined_count == 0);
}

TEST_CASE("who cannot be served is told why once, and the status says so", "[server]") {
    Running running;
    Question question =
        running.fetch_question(running.scratch.path() + "/data", "000000010000000000000005");
    question.data_directory = running.scratch.path() + "/elsewhere";
    const AskResult first = ask(question, running.options());
    CHECK(first.outcome == AskOutcome::declined);
    CHECK(first.reason == DeclineReason::file);
    CHECK(first.text.find("/elsewhere") != std::string::npos);
    const AskResult second = ask(question, running.options());
    CHECK(second.outcome == AskOutcome::declined);
    CHECK(second.text.empty());
    CHECK(running.status().declined_count == 2);
    CHECK(running.status().last_declined == first.text);
}

TEST_CASE("a data directory that was exchanged is served at once, and the agent stays",
          "[server]") {
    Running running;
    const auto line = make_line({.count = 2, .record_count = 40});
    for (const WalFile& file : line) running.served.host.push(make_vault(running.storage), file);
    const std::string data = running.scratch.path() + "/data";
    CHECK(ask(running.fetch_question(data, line[0].name), running.options()).type ==
          MessageType::fetched);
    // A restore empties it and fills it again: its own inode stays.
    std::filesystem::remove_all(data + "/global");
    make_directories(running.scratch.path() + "/keeps_the_inode");
    running.make_data_directory("data");
    CHECK(ask(running.fetch_question(data, line[1].name), running.options()).type ==
          MessageType::fetched);
    CHECK(running.servers.size() == 2);
    REQUIRE(running.status().recoveries.size() == 1);
    CHECK(running.status().recoveries[0].prefetch.question_count == 1);
}

TEST_CASE("other keys or credentials in the environment have the agent leave", "[server]") {
    Caller here = self;
    here.environment = 7;
    for (const std::uint64_t environment : {0U, 7U, 8U}) {
        Running running(std::chrono::minutes(10), "agent.sock", here);
        const auto line = make_line({.count = 1, .record_count = 40});
        running.served.make_ready(line);
        Caller caller = self;
        caller.environment = environment;
        const AskResult result = ask(running.question(line[0].name, caller), running.options());
        const bool is_other = environment == 8;
        CHECK(result.outcome == (is_other ? AskOutcome::declined : AskOutcome::answered));
        if (is_other) CHECK(running.server->wait() == LeaveReason::superseded);
    }
}

TEST_CASE("a stop of any protocol version is obeyed", "[server]") {
    Running running;
    Bytes message = encode_question({.caller = {.version = "9.9"}, .type = MessageType::stop});
    store_le(message.data() + 8, static_cast<std::uint16_t>(protocol_version + 1));
    const FileDescriptor fd = connect_to(running.socket);
    REQUIRE(send_message(fd.get(), message, agent::Clock::now() + std::chrono::seconds(30)));
    CHECK(receive_message(fd.get(), agent::Clock::now() + std::chrono::seconds(30)).receipt ==
          Receipt::message);
    CHECK(running.server->wait() == LeaveReason::asked);
}

TEST_CASE("an agent without a descriptor left is still asked and stopped", "[server]") {
    Running running;
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    // Connected before there is none left for us either.
    const FileDescriptor fd = connect_to(running.socket);
    std::vector<FileDescriptor> taken;
    for (;;) {
        FileDescriptor one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!one.valid()) break;
        taken.push_back(std::move(one));
        if (taken.size() == 8) {
            const rlimit none{.rlim_cur = static_cast<rlim_t>(taken.back().get()) + 1,
                              .rlim_max = usual.rlim_max};
            REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
        }
    }
    REQUIRE(send_message(fd.get(), encode_question({.caller = self, .type = MessageType::stop}),
                         agent::Clock::now() + std::chrono::seconds(30)));
    const Received received =
        receive_message(fd.get(), agent::Clock::now() + std::chrono::seconds(30));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
    CHECK(received.receipt == Receipt::message);
    CHECK(received.header.type == static_cast<std::uint16_t>(MessageType::stopping));
    CHECK(running.server->wait() == LeaveReason::asked);
}

TEST_CASE("hostile bytes on the socket get an answer or a closed connection", "[server]") {
    Running running;
    const auto line = make_line({.count = 1, .record_count = 40});
    running.served.make_ready(line);
    const Bytes good = encode_question(running.question(line[0].name));
    for (std::size_t i = 0; i < 64; ++i) {
        Bytes bytes = good;
        const auto random = random_array<2>();
        // Not in version, configuration and environment: another one of these is a reason to leave,
        // as is a stop.
        const std::size_t at = std::to_integer<std::size_t>(random[0]) % 48;
        bytes[at < message_header_size ? at : at + 23] ^= random[1] | std::byte{1};
        if (bytes[10] == static_cast<std::byte>(MessageType::stop)) bytes[10] = std::byte{200};
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
