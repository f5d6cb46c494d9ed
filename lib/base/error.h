// The one exception type. A failure is an Error; an expected alternative is a return value.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace walden {

/// The one distinction a caller acts on. Anything finer belongs in the message.
enum class ErrorKind : std::uint8_t {
    usage,        ///< wrong argument, setting or key; retrying cannot help
    not_found,    ///< the named thing does not exist, and somebody entitled to say so said it
    conflict,     ///< the name is taken by different content, or by another owner
    foreign,      ///< it belongs to another cluster, repository or timeline
    corrupt,      ///< bytes fail a checksum or break a format rule
    missing,      ///< it existed, by what the store holds, and is not there; may still be brought
    denied,       ///< credentials or permissions refused
    unavailable,  ///< transient: network, throttling, an I/O error of the store; may be retried
    io,           ///< the operating system refused a local operation (disk full, read-only, ...)
    canceled,     ///< the caller asked to stop, or the deadline passed
};

[[nodiscard]] std::string_view to_string(ErrorKind kind);

/// A failure: kind for programs, message chain with detail and hint for people, in the style of
/// PostgreSQL's error messages: the message is lower case without a final period, detail and hint
/// are whole sentences. Secrets never enter any of them.
class Error : public std::exception {
public:
    Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

    [[nodiscard]] const std::string& message() const noexcept { return message_; }

    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

    [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

    /// Puts the action that failed in front: "archive 00..07" + ": " + message.
    void prepend(std::string_view action) { message_.insert(0, std::string(action) + ": "); }

    Error&& with_detail(std::string detail) && {
        detail_ = std::move(detail);
        return std::move(*this);
    }

    Error&& with_hint(std::string hint) && {
        hint_ = std::move(hint);
        return std::move(*this);
    }

    /// For an unavailable store that says itself when to come back (HTTP's Retry-After).
    Error&& with_retry_after(std::optional<std::chrono::milliseconds> delay) && {
        retry_after_ = delay;
        return std::move(*this);
    }

    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const noexcept {
        return retry_after_;
    }

    /// For an unavailable store that was asked as often as the policy allows: nobody further out
    /// begins again.
    Error&& as_given_up() && {
        is_given_up_ = true;
        return std::move(*this);
    }

    [[nodiscard]] bool is_given_up() const noexcept { return is_given_up_; }

private:
    ErrorKind kind_;
    std::string message_;
    std::string detail_;
    std::string hint_;
    std::optional<std::chrono::milliseconds> retry_after_;
    bool is_given_up_ = false;
};

/// Whether it says that stored bytes are not what they should be, which another copy can make up
/// for. Not usage: a newer format, or keys that this host lacks.
[[nodiscard]] inline bool is_damage(const Error& error) {
    return error.kind() == ErrorKind::corrupt || error.kind() == ErrorKind::foreign;
}

/// "No such file or directory" for ENOENT; safe to call from several threads.
[[nodiscard]] std::string describe_errno(int error_number);

/// An Error of `kind` whose text ends in what `error_number` means.
[[nodiscard]] Error system_error(ErrorKind kind, std::string_view action, int error_number);

/// Runs `body`; a failure leaves with `action()` prepended. `action` is built only on failure.
template <class Action, class Body>
decltype(auto) in_context(Action&& action, Body&& body) {
    try {
        return std::forward<Body>(body)();
    } catch (Error& error) {
        error.prepend(std::forward<Action>(action)());
        throw;
    }
}

}  // namespace walden
