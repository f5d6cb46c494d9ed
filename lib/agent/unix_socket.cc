#include "agent/unix_socket.h"

#include "base/error.h"
#include "base/format.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace walden::agent {

namespace {

constexpr int backlog = 64;

/// An address for `path`, and what must stay open while it is used.
struct Address {
    sockaddr_un value{};
    FileDescriptor directory;
    bool is_valid = false;
};

bool set_path(sockaddr_un& address, const std::string& path) {
    if (path.size() >= sizeof address.sun_path) return false;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return true;
}

Address address_of(const std::string& path) {
    Address address;
    if (set_path(address.value, path)) {
        address.is_valid = true;
        return address;
    }
    address.directory =
        FileDescriptor(::open(parent_directory(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.directory.valid()) return address;
    const std::string name = path.substr(path.find_last_of('/') + 1);
    address.is_valid =
        set_path(address.value, format("/proc/self/fd/{}/{}", address.directory.get(), name));
    if (!address.is_valid) errno = ENAMETOOLONG;
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor make_socket(int flags) {
    return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

/// False when the deadline passed.
bool wait_until_ready(int fd, short events, Clock::time_point deadline) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        pollfd item{.fd = fd, .events = events, .revents = 0};
        const auto timeout = std::min<std::int64_t>(left.count() + 1, 60'000);
        const int count = ::poll(&item, 1, static_cast<int>(timeout));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return false;
    }
}

/// Room for one descriptor, aligned as the kernel wants it; more are closed by the kernel.
struct alignas(cmsghdr) ControlBuffer {
    std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

/// recv(2), and the descriptor that came along.
ssize_t receive_some(int fd, MutableByteView out, FileDescriptor& file) {
    iovec part{.iov_base = out.data(), .iov_len = out.size()};
    ControlBuffer control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return got;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        int passed = -1;
        std::memcpy(&passed, CMSG_DATA(header), sizeof passed);
        file = FileDescriptor(passed);
    }
    return got;
}

/// send(2), with a descriptor unless it is negative.
ssize_t send_some(int fd, ByteView bytes, int passed_fd) {
    if (passed_fd < 0) return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // sendmsg(2) does not write to what it is given.
    iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    ControlBuffer control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed_fd, sizeof passed_fd);
    return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Fills `out`; returns how many bytes came before the end or the deadline.
std::size_t receive(int fd, MutableByteView out, Clock::time_point deadline, Received& received,
                    bool& is_late) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = receive_some(fd, out.subspan(done), received.file);
        if (got > 0) {
            done += static_cast<std::size_t>(got);
            continue;
        }
        if (got == 0) break;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) break;
        is_late = !wait_until_ready(fd, POLLIN, deadline);
        if (is_late) break;
    }
    return done;
}

}  // namespace

FileDescriptor listen_at(const std::string& path) {
    FileDescriptor fd = make_socket(0);
    const auto fail = [&](std::string_view action) {
        throw system_error(ErrorKind::io, format("{} \"{}\"", action, path), errno);
    };
    if (!fd.valid()) fail("make a socket for");
    const Address address = address_of(path);
    if (!address.is_valid) fail("find a socket address for");

    struct stat status {};

    if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        fail("listen at");
    }
    ::unlink(path.c_str());
    // The directory is ours alone; between bind and chmod nobody else can reach the socket.
    if (::bind(fd.get(), generic(address.value), sizeof address.value) != 0) fail("listen at");
    if (::chmod(path.c_str(), 0600) != 0) fail("set permissions of");
    if (::listen(fd.get(), backlog) != 0) fail("listen at");
    return fd;
}

FileDescriptor connect_to(const std::string& path) {
    FileDescriptor fd = make_socket(SOCK_NONBLOCK);
    if (!fd.valid()) return fd;
    const Address address = address_of(path);
    if (!address.is_valid) return {};
    // For unix sockets a connection is made at once, or EAGAIN says that the queue is full.
    if (::connect(fd.get(), generic(address.value), sizeof address.value) != 0) {
        const int error_number = errno;
        { const FileDescriptor closed = std::move(fd); }
        errno = error_number;
        return {};
    }
    return fd;
}

std::optional<uid_t> peer_user(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
    return credentials.uid;
}

bool send_message(int fd, ByteView message, Clock::time_point deadline, int passed_fd) {
    while (!message.empty()) {
        const ssize_t sent = send_some(fd, message, passed_fd);
        if (sent > 0) {
            message = message.subspan(static_cast<std::size_t>(sent));
            passed_fd = -1;
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return false;
        if (!wait_until_ready(fd, POLLOUT, deadline)) return false;
    }
    return true;
}

Received receive_message(int fd, Clock::time_point deadline) {
    Received received;
    bool is_late = false;
    std::array<std::byte, message_header_size> head{};
    const std::size_t head_size = receive(fd, head, deadline, received, is_late);
    if (is_late || head_size < head.size()) {
        received.receipt = is_late          ? Receipt::deadline
                           : head_size == 0 ? Receipt::closed
                                            : Receipt::garbage;
        return received;
    }
    const auto header = decode_header(head);
    if (!header) {
        received.receipt = Receipt::garbage;
        return received;
    }
    received.header = *header;
    received.body.resize(header->body_size);
    if (receive(fd, received.body, deadline, received, is_late) == received.body.size())
        received.receipt = Receipt::message;
    else
        received.receipt = is_late ? Receipt::deadline : Receipt::garbage;
    return received;
}

}  // namespace walden::agent
