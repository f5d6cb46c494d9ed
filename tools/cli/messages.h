// How the programs speak: PostgreSQL's style, to stderr, once per problem.
#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace walden::cli {

/// Sets the name in front of every line: "walden-push". Call once, first.
void set_program_name(std::string_view name);

/// From now on each line begins with the time, for a log of our own. Call before starting threads.
void stamp_messages();

/// "walden-push: error: ...", with detail and hint on lines of their own.
void report_error(const Error& error);

/// For what is not an Error: std::bad_alloc, a library's exception.
void report_error(std::string_view message);

void report_warning(std::string_view message);

/// To stderr without a level: progress and results of work that a person watches.
void report_note(std::string_view message);

/// A progress line that replaces itself, only if stderr is a terminal; "" removes it.
void show_progress(const std::string& text);

}  // namespace walden::cli
