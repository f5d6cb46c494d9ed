#include "tools/cli/fetch_program.h"

#include "base/error.h"
#include "base/format.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <cstdio>
#include <new>

namespace walden::cli {

namespace {

constexpr std::string_view help =
    R"(Usage: walden-fetch [--config FILE] NAME PATH

Brings the archived file NAME to PATH. For postgresql.conf:

    restore_command = 'walden-fetch %f %p'

The agent of this configuration fetches ahead of the server's recovery; it is
started when it is not there. Without one this program does the work itself.

Exit status:
    0  delivered: complete, verified, equal to what was archived
    1  the archive was asked and positively has no such file. On a standby that is not being
       promoted also: the store cannot be reached, and PostgreSQL will ask again
       (fetch.standby_on_error)
  200  the store cannot be reached, or does not let us in
  201  configuration or key
  202  the file is damaged, or missing where it must be
  203  it belongs to another cluster or repository
  204  a local problem: disk full, out of memory
Above 125 PostgreSQL stops recovery instead of opening the database without the rest.

  --config FILE  configuration, else $WALDEN_CONFIG, else /etc/walden/walden.toml
  --help, --version
)";

int exit_code_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::unavailable:
        case ErrorKind::denied:
        case ErrorKind::not_found:  // the store itself, never an object
        case ErrorKind::canceled: return fetch_exit_unreachable;
        case ErrorKind::usage: return fetch_exit_configuration;
        case ErrorKind::corrupt:
        case ErrorKind::missing:
        case ErrorKind::conflict: return fetch_exit_integrity;
        case ErrorKind::foreign: return fetch_exit_foreign;
        case ErrorKind::io: return fetch_exit_internal;
    }
    return fetch_exit_internal;
}

}  // namespace

bool is_servers_own(const std::string& path) {
    return path.ends_with("RECOVERYXLOG") || path.ends_with("RECOVERYHISTORY");
}

int run_fetch_program(int argc, char** argv, std::string_view program,
                      const std::function<int(const Arguments&)>& work) {
    try {
        const Arguments arguments = parse_arguments(argc, argv, 2);
        if (arguments.wants_help) {
            std::fputs(help.data(), stdout);
        } else if (arguments.wants_version) {
            std::puts(format("{} {}", program, version_text()).c_str());
        } else {
            return work(arguments);
        }
        return 0;
    } catch (const Error& error) {
        report_error(error);
        return exit_code_of(error.kind());
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "%.*s: error: out of memory\n", static_cast<int>(program.size()),
                     program.data());
    } catch (const std::exception& error) {
        report_error(error.what());
    }
    return fetch_exit_internal;
}

}  // namespace walden::cli
