#include "tests/support/s3_server.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

namespace walden::testing {

namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorKind::io, format("{}: {}", what, std::strerror(errno)));
}

std::string script_path() {
    const char* root = std::getenv("WALDEN_SOURCE_ROOT");
    return format("{}/tests/support/s3_server.py", root == nullptr ? "." : root);
}

/// Starts a program of PATH; with `stdin_fd` as its standard input unless that is -1.
pid_t start(std::vector<std::string> command, int stdin_fd) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (stdin_fd >= 0) ::posix_spawn_file_actions_adddup2(&actions, stdin_fd, 0);
    // What openssl says about its work is of interest to nobody.
    if (stdin_fd < 0) ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    errno = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (errno != 0) fail("cannot start " + command[0]);
    return pid;
}

int wait_for_exit(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) fail("cannot wait for a process");
    return status;
}

FileDescriptor connect_to(std::uint16_t port) {
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) fail("cannot make a socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    // The one cast that the socket interface itself asks for.
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("cannot connect to the S3 server of the tests");
    return fd;
}

void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0) fail("cannot send to the S3 server of the tests");
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string receive_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (size < 0) fail("cannot receive from the S3 server of the tests");
        if (size == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

S3Request parse_request(const Json& entry) {
    S3Request request;
    entry.at("method").get_to(request.method);
    entry.at("operation").get_to(request.operation);
    entry.at("bucket").get_to(request.bucket);
    entry.at("key").get_to(request.key);
    entry.at("query").get_to(request.query);
    entry.at("headers").get_to(request.headers);
    if (!entry.at("status").is_null()) request.status = entry.at("status").get<int>();
    entry.at("body_size").get_to(request.body_size);
    entry.at("connection").get_to(request.connection);
    entry.at("seconds").get_to(request.seconds);
    return request;
}

S3StoredObject parse_object(const Json& entry) {
    S3StoredObject object;
    entry.at("bucket").get_to(object.bucket);
    entry.at("key").get_to(object.key);
    entry.at("size").get_to(object.size);
    entry.at("sha256").get_to(object.sha256);
    entry.at("etag").get_to(object.etag);
    entry.at("metadata").get_to(object.metadata);
    entry.at("checksums").get_to(object.checksums);
    entry.at("storage_class").get_to(object.storage_class);
    entry.at("encryption").get_to(object.encryption);
    entry.at("lock_mode").get_to(object.lock_mode);
    entry.at("retain_until").get_to(object.retain_until);
    return object;
}

}  // namespace

std::optional<std::string> S3Request::header(const std::string& name) const {
    for (const auto& [field, value] : headers) {
        std::string lower = field;
        for (char& c : lower)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (lower == name) return value;
    }
    return std::nullopt;
}

const S3StoredObject* S3State::find(const std::string& key) const {
    for (const S3StoredObject& object : objects)
        if (object.key == key) return &object;
    return nullptr;
}

S3Server::S3Server(const S3ServerOptions& options) : options_(options) {
    const bool is_tls = options.transport == S3ServerOptions::Transport::tls;
    std::vector<std::string> command = {
        "python3", script_path(), "--port-file", scratch_.path() + "/port", "--bucket", bucket};
    if (is_tls) {
        make_certificate();
        command.insert(command.end(), {"--tls", ca_file(), scratch_.path() + "/key.pem"});
    }
    command.insert(command.end(), options.arguments.begin(), options.arguments.end());
    // Closed on exec: a second server must not keep the first one's standard input open.
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe");
    const FileDescriptor read_end(ends[0]);
    FileDescriptor write_end(ends[1]);
    pid_ = start(std::move(command), read_end.get());
    try {
        wait_for_port();
    } catch (...) {
        kill();
        throw;
    }
    stdin_ = ::fcntl(write_end.get(), F_DUPFD_CLOEXEC, 0);
}

S3Server::~S3Server() {
    if (stdin_ >= 0) ::close(stdin_);
    kill();
}

void S3Server::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string S3Server::endpoint() const {
    const bool is_tls = options_.transport == S3ServerOptions::Transport::tls;
    return format("{}://127.0.0.1:{}", is_tls ? "https" : "http", port_);
}

void S3Server::make_certificate() const {
    const pid_t pid =
        start({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=walden test",
               "-addext", "subjectAltName=IP:127.0.0.1,DNS:s3.localhost,DNS:*.s3.localhost",
               "-keyout", scratch_.path() + "/key.pem", "-out", ca_file()},
              -1);
    if (wait_for_exit(pid) != 0) throw Error(ErrorKind::io, "openssl made no certificate");
}

void S3Server::wait_for_port() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
        if (const auto text = read_file(scratch_.path() + "/port", 100)) {
            const std::string_view digits = as_text(*text);
            if (std::from_chars(digits.data(), digits.data() + digits.size(), port_).ec !=
                std::errc())
                throw Error(ErrorKind::corrupt, "the S3 server of the tests wrote no port");
            return;
        }
        if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
            pid_ = -1;
            throw Error(ErrorKind::io, "the S3 server of the tests did not start");
        }
        if (std::chrono::steady_clock::now() > deadline)
            throw Error(ErrorKind::io, "the S3 server of the tests does not listen");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

std::string S3Server::control(const std::string& request_line, const std::string& body) const {
    const FileDescriptor fd = connect_to(port_);
    send_all(fd.get(), format("{} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n"
                              "Content-Length: {}\r\n\r\n{}",
                              request_line, body.size(), body));
    const std::string answer = receive_all(fd.get());
    const std::size_t head_size = answer.find("\r\n\r\n");
    if (head_size == std::string::npos || !answer.starts_with("HTTP/1.1 200 "))
        throw Error(ErrorKind::usage,
                    format("the S3 server of the tests answered {}: {}", request_line, answer));
    return answer.substr(head_size + 4);
}

void S3Server::faults(const std::string& rules) const {
    static_cast<void>(control("POST /_control/faults", rules));
}

void S3Server::options(const std::string& changes) const {
    static_cast<void>(control("POST /_control/options", changes));
}

void S3Server::reset() const {
    static_cast<void>(control("POST /_control/reset", ""));
}

std::vector<S3Request> S3Server::log() const {
    std::vector<S3Request> requests;
    for (const Json& entry : Json::parse(control("GET /_control/log", "")))
        requests.push_back(parse_request(entry));
    return requests;
}

S3State S3Server::state() const {
    const Json all = Json::parse(control("GET /_control/state", ""));
    S3State state;
    for (const Json& entry : all.at("objects")) state.objects.push_back(parse_object(entry));
    for (const Json& entry : all.at("uploads"))
        state.uploads.push_back(
            {entry.at("bucket"), entry.at("key"), entry.at("upload_id"), entry.at("parts").size()});
    return state;
}

}  // namespace walden::testing
