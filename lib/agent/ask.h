// What PostgreSQL's commands want of an agent. Returns values and prints nothing, knows no
// configuration file and needs no store: a program of a millisecond can link it, and so can a
// module of PostgreSQL.
#pragma once

#include "agent/client.h"
#include "agent/launch.h"
#include "base/error.h"
#include "recovery/prefetch_answer.h"

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace walden::agent {

/// The agent of one configuration, as those see it who ask.
struct Contact {
    std::string socket_path;
    Caller caller;                   ///< who asks
    uid_t user = 0;                  ///< whose agent is believed; root's is, too
    std::optional<Launch> launch{};  ///< how one is started where none is; nullopt: none is
};

/// How long the asker waits.
struct Patience {
    Clock::time_point deadline;                    ///< for the answer
    std::chrono::milliseconds silence_max{3'000};  ///< as AskOptions's
};

/// As ask(), and starts an agent if none is there.
[[nodiscard]] AskResult ask_or_launch(const Contact& contact, const Question& question,
                                      const Patience& patience);

/// What came of the wish to have a file archived.
struct PushAnswer {
    enum class Outcome : std::uint8_t {
        archived,     ///< the file is durable in the store
        unavailable,  ///< there is no agent to rely on, and the work is still to be done
        failed,       ///< the agent says `error`
        late,         ///< the agent is still working on it; `error` says so
    };

    Outcome outcome = Outcome::unavailable;
    std::vector<std::string> warnings{};  ///< for a person: of the file, or about the agent
    std::optional<Error> error{};
};

/// Has the agent archive the file at `path`.
[[nodiscard]] PushAnswer ask_to_archive(const Contact& contact, const std::string& path,
                                        const Patience& patience);

/// What came of the wish for a file.
struct FetchAnswer {
    enum class Outcome : std::uint8_t {
        delivered,    ///< the file is at its place
        not_there,    ///< the store was asked and has no such file
        unavailable,  ///< there is no agent to rely on, and the work is still to be done
        failed,       ///< the agent says `error`: whoever needs the file tries himself
    };

    Outcome outcome = Outcome::unavailable;
    recovery::Origin origin = recovery::Origin::fetched;  ///< delivered
    std::string warning{};                                ///< about the agent, if there is one
    std::optional<Error> error{};
};

/// Has the agent's file delivered to `path`. Throws Error(io) if it cannot be put there.
[[nodiscard]] FetchAnswer ask_to_fetch(const Contact& contact, const std::string& file_name,
                                       const std::string& path, const Patience& patience);

}  // namespace walden::agent
