#include "tools/cli/messages.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

namespace walden::cli {

namespace {

std::string& program_name() {
    static std::string name = "walden";
    return name;
}

bool is_stamped = false;

std::string stamp() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC ", &parts)};
}

void print(std::string_view level, std::string_view text) {
    // One write per line, so that the lines of several processes in one server log do not mix.
    std::string line = (is_stamped ? stamp() : "") + program_name() + ": ";
    if (!level.empty()) line += std::string(level) + ": ";
    line += text;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void set_program_name(std::string_view name) {
    program_name() = name;
}

void stamp_messages() {
    is_stamped = true;
}

void report_error(const Error& error) {
    print("error", error.message());
    if (!error.detail().empty()) print("detail", error.detail());
    if (!error.hint().empty()) print("hint", error.hint());
}

void report_error(std::string_view message) {
    print("error", message);
}

void report_warning(std::string_view message) {
    print("warning", message);
}

void report_note(std::string_view message) {
    print("", message);
}

void show_progress(const std::string& text) {
    static const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
    if (!is_terminal) return;
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
}

}  // namespace walden::cli
