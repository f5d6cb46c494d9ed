// Asking an agent. Small: walden-push links it.
#pragma once

#include "agent/protocol.h"
#include "agent/unix_socket.h"

#include <sys/types.h>

#include <chrono>
#include <string>

namespace walden::agent {

struct AskOptions {
    std::string socket_path;
    Clock::time_point deadline;
    /// Longer than this nothing is heard of an agent only if it is stopped, or stuck: it says
    /// `working` every half second.
    std::chrono::milliseconds silence_max{3'000};
    /// The user whose agent is believed; root's is, too. An answer is as good as its giver.
    uid_t user = 0;
};

enum class AskOutcome : std::uint8_t {
    answered,         ///< `type` and `body` are the agent's last word
    absent,           ///< nobody listens
    declined,         ///< it does not take this question; `text` says why
    unusable,         ///< stuck, gone meanwhile, not an agent, or somebody else's; `text` says why
    deadline_passed,  ///< it is still working
};

struct AskResult {
    AskOutcome outcome = AskOutcome::absent;
    MessageType type = MessageType::declined;
    Bytes body;
    std::string text;
    DeclineReason reason = DeclineReason::protocol;  ///< declined
    FileDescriptor file;                             ///< that came with it, if one did
};

/// Asks one question and waits for the answer. Never throws for what an agent does, and returns at
/// most silence_max after the deadline.
[[nodiscard]] AskResult ask(const Question& question, const AskOptions& options);

}  // namespace walden::agent
