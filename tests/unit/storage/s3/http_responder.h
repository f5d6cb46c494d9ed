// The least HTTP server: answers each request by a function, one connection for each.
#pragma once

#include "base/error.h"
#include "base/format.h"
#include "base/guarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace walden::testing {

/// Serves on 127.0.0.1 until it goes.
class HttpResponder {
public:
    struct Answer {
        int status = 200;
        std::string body;
    };

    /// Gets the whole request as text: "GET /path HTTP/1.1\r\n...".
    using Respond = std::function<Answer(const std::string& request)>;

    explicit HttpResponder(Respond respond) : respond_(std::move(respond)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (listener_ < 0 || ::bind(listener_, generic, size) != 0 ||
            ::listen(listener_, 16) != 0 || ::getsockname(listener_, generic, &size) != 0)
            throw Error(ErrorKind::io, "cannot listen");
        port_ = ::ntohs(address.sin_port);
        thread_ = std::jthread([this] { serve(); });
    }

    HttpResponder(const HttpResponder&) = delete;
    HttpResponder& operator=(const HttpResponder&) = delete;

    ~HttpResponder() {
        ::shutdown(listener_, SHUT_RDWR);  // accept() returns
        thread_.join();
        ::close(listener_);
    }

    [[nodiscard]] std::string url() const { return format("http://127.0.0.1:{}", port_); }

    [[nodiscard]] std::vector<std::string> requests() {
        return requests_.with([](const auto& requests) { return requests; });
    }

private:
    void serve() {
        for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
            const std::string request = read_request(fd);
            requests_.with([&](auto& requests) { requests.push_back(request); });
            const Answer answer = respond_(request);
            const std::string text =
                format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                       answer.status, answer.body.size(), answer.body);
            static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL));
            ::close(fd);
        }
    }

    static std::string read_request(int fd) {
        std::string request;
        char buffer[4096];
        std::size_t wanted = std::string::npos;
        while (request.size() < wanted) {
            const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
            if (size <= 0) break;
            request.append(buffer, static_cast<std::size_t>(size));
            const std::size_t end = request.find("\r\n\r\n");
            if (end == std::string::npos || wanted != std::string::npos) continue;
            const std::size_t length = request.find("Content-Length: ");
            wanted = end + 4 + (length < end ? std::stoul(request.substr(length + 16)) : 0);
        }
        return request;
    }

    Respond respond_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    Guarded<std::vector<std::string>> requests_;
    std::jthread thread_;
};

}  // namespace walden::testing
