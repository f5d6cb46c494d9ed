#include "bench/latency_proxy.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/guarded.h"
#include "bench/http_request_counter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace walden::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_size = std::size_t{256} << 10;

struct Counts {
    std::uint64_t connections = 0;
    std::uint64_t up = 0;
    std::uint64_t down = 0;
    RequestCounts requests;
};

/// What all connections share.
struct World {
    std::atomic<std::int64_t> delay_us = 0;  ///< one way
    std::size_t window = 0;
    Guarded<Counts> counts;

    [[nodiscard]] Clock::duration delay() const { return std::chrono::microseconds(delay_us); }
};

enum class Direction : std::uint8_t { up, down };

/// One direction of a connection: one thread takes in what comes, another lets it out when it is
/// due.
class Line {
public:
    Line(World& world, Direction direction, int from, int to)
        : world_(world), direction_(direction), from_(from), to_(to), opened_(Clock::now()) {
        reader_ = std::jthread([this] { take_in(); });
        writer_ = std::jthread([this] { let_out(); });
    }

    [[nodiscard]] bool has_ended() const { return ended_count_ == 2; }

private:
    struct Piece {
        Clock::time_point due;
        std::string bytes;  ///< empty: the end
    };

    /// Bytes that have arrived; until `known_at` the sender does not know.
    struct Arrived {
        Clock::time_point known_at;
        std::size_t size = 0;
    };

    void take_in() {
        std::string buffer(read_size, '\0');
        for (;;) {
            wait_for_window();
            const ssize_t size = ::recv(from_, buffer.data(), buffer.size(), 0);
            if (size < 0 && errno == EINTR) continue;
            const std::string_view bytes(buffer.data(),
                                         size > 0 ? static_cast<std::size_t>(size) : 0);
            count(bytes);
            // The client is connected to us at once; over a real line it would have sent its first
            // byte only after the server's answer to its SYN.
            const auto delay = world_.delay();
            const auto sent_at = direction_ == Direction::up
                                     ? std::max(Clock::now(), opened_ + 2 * delay)
                                     : Clock::now();
            push({.due = sent_at + delay, .bytes = std::string(bytes)});
            if (bytes.empty()) break;
        }
        ++ended_count_;
    }

    void let_out() {
        for (;;) {
            const Piece piece = pop();
            std::this_thread::sleep_until(piece.due);
            if (piece.bytes.empty() || !send_all(piece.bytes)) {
                // After an end the other direction goes on; after a failure it learns of it.
                ::shutdown(to_, SHUT_WR);
                if (!piece.bytes.empty()) ::shutdown(from_, SHUT_RD);
                break;
            }
            const std::lock_guard lock(mutex_);
            queued_size_ -= piece.bytes.size();
            arrived_.push_back({Clock::now() + world_.delay(), piece.bytes.size()});
            unknown_size_ += piece.bytes.size();
            changed_.notify_all();
        }
        const std::lock_guard lock(mutex_);
        is_broken_ = true;  // the reader must not wait for a window that nobody empties
        changed_.notify_all();
        ++ended_count_;
    }

    void wait_for_window() {
        std::unique_lock lock(mutex_);
        for (;;) {
            while (!arrived_.empty() && arrived_.front().known_at <= Clock::now()) {
                unknown_size_ -= arrived_.front().size;
                arrived_.pop_front();
            }
            if (is_broken_ || queued_size_ + unknown_size_ < world_.window) return;
            if (arrived_.empty())
                changed_.wait(lock);
            else
                changed_.wait_until(lock, arrived_.front().known_at);
        }
    }

    void push(Piece piece) {
        const std::lock_guard lock(mutex_);
        queued_size_ += piece.bytes.size();
        queue_.push_back(std::move(piece));
        changed_.notify_all();
    }

    Piece pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !queue_.empty(); });
        Piece piece = std::move(queue_.front());
        queue_.pop_front();
        return piece;
    }

    bool send_all(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(to_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    void count(std::string_view bytes) {
        world_.counts.with([&](Counts& counts) {
            (direction_ == Direction::up ? counts.up : counts.down) += bytes.size();
            if (direction_ == Direction::up) requests_.read(bytes, counts.requests);
        });
    }

    World& world_;
    const Direction direction_;
    const int from_;
    const int to_;
    const Clock::time_point opened_;
    HttpRequestCounter requests_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Piece> queue_;
    std::size_t queued_size_ = 0;
    std::deque<Arrived> arrived_;
    std::size_t unknown_size_ = 0;
    bool is_broken_ = false;
    std::atomic<int> ended_count_ = 0;
    // Last, so that they have ended before anything that they use is gone.
    std::jthread reader_;
    std::jthread writer_;
};

/// Both ends of a connection. Destroy it only when it has ended: its threads are waited for.
class Connection {
public:
    Connection(World& world, FileDescriptor client, FileDescriptor server)
        : client_(std::move(client)),
          server_(std::move(server)),
          up_(world, Direction::up, client_.get(), server_.get()),
          down_(world, Direction::down, server_.get(), client_.get()) {}

    [[nodiscard]] bool has_ended() const { return up_.has_ended() && down_.has_ended(); }

private:
    FileDescriptor client_;
    FileDescriptor server_;
    Line up_;
    Line down_;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

const sockaddr* generic(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor make_socket() {
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) throw system_error(ErrorKind::io, "make a socket", errno);
    return fd;
}

void send_at_once(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

FileDescriptor listen_on_free_port(std::uint16_t& port) {
    FileDescriptor fd = make_socket();
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), generic(address), size) != 0 || ::listen(fd.get(), 256) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw system_error(ErrorKind::io, "listen on 127.0.0.1", errno);
    port = ntohs(address.sin_port);
    return fd;
}

void accept_for_ever(World& world, int listener, std::uint16_t upstream_port) {
    std::list<Connection> connections;
    for (;;) {
        FileDescriptor client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        connections.remove_if([](const Connection& one) { return one.has_ended(); });
        if (!client.valid()) continue;
        world.counts.with([](Counts& counts) { ++counts.connections; });
        FileDescriptor server = make_socket();
        const sockaddr_in address = loopback(upstream_port);
        // A server that is not there: the client sees its connection end.
        if (::connect(server.get(), generic(address), sizeof address) != 0) continue;
        send_at_once(client.get());
        send_at_once(server.get());
        connections.emplace_back(world, std::move(client), std::move(server));
    }
}

std::string state_of(World& world) {
    return world.counts.with([&](const Counts& counts) {
        std::string requests;
        for (const auto& [name, count] : counts.requests)
            requests += format("{}\"{}\": {}", requests.empty() ? "" : ", ", name, count);
        return format(
            "{{\"delay_ms\": {}, \"connections\": {}, \"up\": {}, \"down\": {}, "
            "\"requests\": {{{}}}}}",
            static_cast<double>(world.delay_us) / 1000, counts.connections, counts.up, counts.down,
            requests);
    });
}

void obey(World& world, std::string_view command) {
    constexpr std::string_view delay = "delay ";
    if (command.starts_with(delay)) {
        std::int64_t milliseconds = 0;
        const std::string_view text = command.substr(delay.size());
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
        if (parsed.ec != std::errc{} || milliseconds < 0 || milliseconds > 60'000)
            throw Error(ErrorKind::usage, format("\"{}\" is no delay from 0 to 60000", text));
        world.delay_us = milliseconds * 1000;
    } else if (command == "reset") {
        world.counts.with([](Counts& counts) { counts = {}; });
    } else if (command != "state") {
        throw Error(ErrorKind::usage, format("unknown command \"{}\"", command));
    }
}

}  // namespace

void run_latency_proxy(const LatencyProxyOptions& options) {
    World world;
    world.window = options.window;
    std::uint16_t port = 0;
    const FileDescriptor listener = listen_on_free_port(port);
    std::thread([&world, fd = listener.get(), upstream = options.upstream_port] {
        accept_for_ever(world, fd, upstream);
    }).detach();
    write_file_durably(options.port_file, as_bytes(format("{}\n", port)), 0644);
    for (std::string line; std::getline(std::cin, line);) {
        obey(world, line);
        std::cout << state_of(world) << std::endl;
    }
    // Connections may still be open; nobody needs them.
    std::_Exit(0);
}

}  // namespace walden::bench
