// A TCP proxy that makes a server of this machine look far away, and counts what goes through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace walden::bench {

struct LatencyProxyOptions {
    std::uint16_t upstream_port = 0;  ///< of 127.0.0.1
    std::string port_file;            ///< gets "PORT\n" when the proxy listens on 127.0.0.1
    /// Bytes under way in each direction of a connection until their receipt is known, which takes
    /// a round trip: what TCP's window and the buffers of both ends allow. Linux's limits for a
    /// sender are 4 MiB (net.ipv4.tcp_wmem).
    std::size_t window = std::size_t{4} << 20;
};

/// Serves until stdin ends. Each line on stdin is a command, answered by one line on stdout:
///   delay MS   adds MS milliseconds in each direction from now on; a new connection costs another
///              round trip, as its handshake would; there is no slow start
///   reset      counts from 0 again
///   state      nothing more
/// The answer is a JSON object: "delay_ms", "connections" (opened since the reset), "up" and "down"
/// (bytes), "requests" (by method, where plain HTTP goes through; see http_request_counter.h).
/// Throws Error.
void run_latency_proxy(const LatencyProxyOptions& options);

}  // namespace walden::bench
