#include "agent/ask.h"

#include "base/file.h"
#include "base/file_identity.h"
#include "base/format.h"
#include "recovery/nameless_file.h"

#include <cstdlib>
#include <memory>

namespace walden::agent {

namespace {

/// An agent opens nothing before it listens: that takes milliseconds.
constexpr std::chrono::milliseconds launch_patience{2'000};

constexpr std::string_view not_understood = "the agent's answer is not understood";

std::optional<Error> failure_in(const AskResult& result) {
    return result.type == MessageType::failed ? decode_failed(result.body) : std::nullopt;
}

/// Whether a person should be told why the agent did not do it: it would do so for others. An agent
/// that leaves says so, too, and the next question finds another one.
bool is_news(const AskResult& result) {
    return result.reason == DeclineReason::file && !result.text.empty();
}

std::optional<std::string> absolute_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> absolute(::realpath(path.c_str(), nullptr),
                                                          std::free);
    if (!absolute) return std::nullopt;
    return std::string(absolute.get());
}

PushAnswer take_push_answer(const AskResult& result) {
    using Outcome = PushAnswer::Outcome;
    if (auto error = failure_in(result))
        return {.outcome = Outcome::failed, .error = std::move(error)};
    auto archived =
        result.type == MessageType::archived ? decode_archived(result.body) : std::nullopt;
    if (!archived) return {.warnings = {std::string(not_understood)}};
    return {.outcome = Outcome::archived, .warnings = std::move(archived->warnings)};
}

FetchAnswer take_fetch_answer(const AskResult& result, const std::string& file_name,
                              const std::string& path) {
    using Outcome = FetchAnswer::Outcome;
    if (result.type == MessageType::not_there) return {.outcome = Outcome::not_there};
    if (auto error = failure_in(result))
        return {.outcome = Outcome::failed, .error = std::move(error)};
    const auto fetched =
        result.type == MessageType::fetched ? decode_fetched(result.body) : std::nullopt;
    if (!fetched || !result.file.valid()) return {.warning = std::string(not_understood)};
    const bool is_delivered = in_context(
        [&] { return format("deliver {} to \"{}\"", file_name, path); },
        [&] { return recovery::deliver_nameless(result.file.get(), fetched->stamp, path); });
    if (!is_delivered) return {.warning = format("the agent's {} has been written to", file_name)};
    return {.outcome = Outcome::delivered, .origin = fetched->origin};
}

}  // namespace

AskResult ask_or_launch(const Contact& contact, const Question& question,
                        const Patience& patience) {
    const AskOptions options{.socket_path = contact.socket_path,
                             .deadline = patience.deadline,
                             .silence_max = patience.silence_max,
                             .user = contact.user};
    AskResult result = ask(question, options);
    if (result.outcome != AskOutcome::absent || !contact.launch) return result;
    if (!launch_agent(*contact.launch, launch_patience)) return result;
    return ask(question, options);
}

PushAnswer ask_to_archive(const Contact& contact, const std::string& path,
                          const Patience& patience) {
    // Without such a file there is nothing to ask.
    const auto version = find_file(path);
    if (!version) return {};
    const std::string name = base_name(path);
    const AskResult result = ask_or_launch(contact,
                                           {.caller = contact.caller,
                                            .type = MessageType::archive,
                                            .file_name = name,
                                            .file_version = *version},
                                           patience);
    switch (result.outcome) {
        case AskOutcome::absent: return {};
        case AskOutcome::declined:
            return is_news(result) ? PushAnswer{.warnings = {result.text}} : PushAnswer{};
        case AskOutcome::unusable: return {.warnings = {result.text}};
        case AskOutcome::deadline_passed:
            return {.outcome = PushAnswer::Outcome::late,
                    .error = Error(ErrorKind::canceled,
                                   format("{} is not archived yet: {}", name, result.text))
                                 .with_hint("PostgreSQL asks again. \"walden status\" shows what "
                                            "the agent does.")};
        case AskOutcome::answered: break;
    }
    return take_push_answer(result);
}

FetchAnswer ask_to_fetch(const Contact& contact, const std::string& file_name,
                         const std::string& path, const Patience& patience) {
    const auto wal_directory = find_directory(parent_directory(path));
    const auto data_directory = absolute_path(parent_directory(parent_directory(path)));
    if (!wal_directory || !data_directory) return {};
    const AskResult result = ask_or_launch(contact,
                                           {.caller = contact.caller,
                                            .type = MessageType::fetch,
                                            .file_name = file_name,
                                            .data_directory = *data_directory,
                                            .wal_directory = *wal_directory},
                                           patience);
    switch (result.outcome) {
        case AskOutcome::absent: return {};
        case AskOutcome::declined:
            return is_news(result) ? FetchAnswer{.warning = result.text} : FetchAnswer{};
        case AskOutcome::unusable:
        case AskOutcome::deadline_passed: return {.warning = result.text};
        case AskOutcome::answered: break;
    }
    return take_fetch_answer(result, file_name, path);
}

}  // namespace walden::agent
