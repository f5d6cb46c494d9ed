// What is asked for, what is ready, what is under way and what is done: which file is archived
// next, and who is told.
#pragma once

#include "archive/look_ahead_answer.h"
#include "base/error.h"
#include "base/file_identity.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace walden::archive {

/// Decides and remembers; has neither threads nor files nor a clock of its own. One thread at a
/// time: the mutex of the look-ahead guards it.
class ReadyQueue {
public:
    using Answer = std::variant<Archived, Error, OtherFile>;

    /// Somebody who waits for one file.
    struct Asker {
        const std::string name;
        const FileVersion version;
        std::optional<Answer> answer{};
    };

    using AskerPointer = std::shared_ptr<Asker>;

    /// At most `running_max` files are under way.
    explicit ReadyQueue(std::size_t running_max) : running_max_(running_max) {}

    // Who asks.

    /// A file was asked for, and what is ready may be archived ahead. The answer, if that file is
    /// done; nullopt: it is to be waited for.
    [[nodiscard]] std::optional<Archived> note_question(const std::string& name,
                                                        const FileVersion& version);

    /// Has an answer when the file is done, or has failed.
    [[nodiscard]] AskerPointer wait_for(const std::string& name, const FileVersion& version);

    /// He has gone.
    void forget(const AskerPointer& asker);

    /// Everything that is ready is wanted.
    void want_all();

    /// From now on nothing is begun that nobody asked for.
    void stop_looking_ahead();

    // What is to be done.

    /// Whether there is something to begin, or to look at. While a failure is being cleared nothing
    /// is begun before all is out.
    [[nodiscard]] bool has_work() const;

    /// True once after a failure, when all is out: from here on files are begun again.
    [[nodiscard]] bool begin_again();

    /// Whether archive_status must be looked at now; then take_ready() is called.
    [[nodiscard]] bool begin_listing();

    /// Everything that is ready, in PostgreSQL's order. What is not has been told to PostgreSQL, or
    /// is not wanted any more. If nothing is new, looking ahead ends until the next question.
    void take_ready(const std::vector<std::string>& ready);

    /// The next file, under way from now on: what somebody waits for, else what is ready, if it
    /// `exists`. nullopt if there is none.
    [[nodiscard]] std::optional<std::string> begin_next(
        const std::function<bool(const std::string&)>& exists);

    // What was done.

    /// Answers those who wait for the file that was read.
    void note_archived(const std::string& name, const FileVersion& version,
                       const Archived& archived);

    /// Answers those who wait for it; nothing ahead is begun until the next question.
    void note_failed(const std::string& name, const Error& error);

    /// It was not done because of another one: whoever asked for it has it tried again.
    void note_stopped(const std::string& name);

    /// It could not be begun, since a failure is being cleared.
    void note_refused(const std::string& name);

    /// Nothing can be archived now: answers all.
    void fail_all(const Error& error);

    // Looking at it.

    [[nodiscard]] bool is_done(const std::string& name) const { return done_.contains(name); }

    [[nodiscard]] std::size_t running_count() const { return running_.size(); }

    [[nodiscard]] bool is_awaited() const { return !askers_.empty(); }

private:
    struct Done {
        FileVersion version;
        Archived archived;
    };

    [[nodiscard]] const std::string* first_asked() const;
    void answer(const std::string& name, const Error& error);
    void drop_ahead();

    const std::size_t running_max_;
    std::map<std::string, Done> done_;  ///< until PostgreSQL has been told
    std::multimap<std::string, AskerPointer> askers_;
    std::set<std::string> running_;
    std::deque<std::string> ahead_;  ///< ready when last looked, not begun yet
    bool looks_ahead_ = false;
    bool may_look_ahead_ = true;
    bool needs_listing_ = false;
    bool is_blocked_ = false;  ///< a failure is being cleared
};

}  // namespace walden::archive
