#include "agent/client.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>
#include <cerrno>

namespace walden::agent {

namespace {

AskResult unusable(std::string text) {
    return {.outcome = AskOutcome::unusable, .body = {}, .text = std::move(text), .file = {}};
}

AskResult understand(Received received) {
    const auto type = static_cast<MessageType>(received.header.type);
    if (type == MessageType::declined) {
        const auto declined = decode_declined(received.body);
        if (!declined) return unusable("the agent's answer is not understood");
        return {.outcome = AskOutcome::declined,
                .body = {},
                .text = declined->text,
                .reason = declined->reason,
                .file = {}};
    }
    if (received.header.version != protocol_version)
        return unusable(format("the agent speaks protocol version {}", received.header.version));
    return {.outcome = AskOutcome::answered,
            .type = type,
            .body = std::move(received.body),
            .text = {},
            .file = std::move(received.file)};
}

}  // namespace

AskResult ask(const Question& question, const AskOptions& options) {
    const FileDescriptor fd = connect_to(options.socket_path);
    if (!fd.valid()) {
        if (errno == ENOENT || errno == ECONNREFUSED) return {};
        return unusable(
            format("connect to \"{}\": {}", options.socket_path, describe_errno(errno)));
    }
    const auto peer = peer_user(fd.get());
    if (!peer || (*peer != options.user && *peer != 0))
        return unusable(format("the agent at \"{}\" is another user's", options.socket_path));
    const auto patience = [&] {
        return std::min(Clock::now() + options.silence_max, options.deadline);
    };
    // If it cannot be sent, there may still be an answer that says why.
    static_cast<void>(send_message(fd.get(), encode_question(question), patience()));
    for (;;) {
        Received received = receive_message(fd.get(), patience());
        switch (received.receipt) {
            case Receipt::closed: return unusable("the agent closed the connection");
            case Receipt::garbage: return unusable("the agent's answer is not understood");
            case Receipt::deadline:
                if (Clock::now() < options.deadline) return unusable("the agent does not answer");
                return {.outcome = AskOutcome::deadline_passed,
                        .body = {},
                        .text = "the agent is still working on it",
                        .file = {}};
            case Receipt::message: break;
        }
        if (static_cast<MessageType>(received.header.type) != MessageType::working ||
            received.header.version != protocol_version)
            return understand(std::move(received));
    }
}

}  // namespace walden::agent
