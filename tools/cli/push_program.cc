#include "tools/cli/push_program.h"

#include "base/error.h"
#include "base/file_identity.h"
#include "base/format.h"
#include "tools/cli/messages.h"
#include "tools/cli/version.h"

#include <cstdio>
#include <filesystem>
#include <new>

namespace walden::cli {

void require_configured_server(const Config& config, const std::string& path) {
    if (path.starts_with('/')) return;
    const auto here = find_directory(".");
    const auto configured = find_directory(config.pgdata);
    if (!here || !configured || *here == *configured) return;
    std::error_code unknown;
    throw Error(ErrorKind::foreign,
                format("this server runs in \"{}\", the configuration is for \"{}\"",
                       std::filesystem::current_path(unknown).string(), config.pgdata))
        .with_hint("Give each server a configuration with its own pgdata.");
}

int run_push_program(int argc, char** argv, const PushProgram& program,
                     const std::function<void(const Config&, const Arguments&)>& work) {
    try {
        const Arguments arguments = parse_arguments(argc, argv, 1);
        if (arguments.wants_help) {
            std::fputs(program.help.data(), stdout);
        } else if (arguments.wants_version) {
            std::puts(format("{} {}", program.name, version_text()).c_str());
        } else {
            const Config config = read_config(arguments.config_path);
            require_configured_server(config, arguments.operands[0]);
            work(config, arguments);
        }
        return 0;
    } catch (const Error& error) {
        report_error(error);
    } catch (const std::bad_alloc&) {
        std::fputs("walden-push: error: out of memory\n", stderr);
    } catch (const std::exception& error) {
        report_error(error.what());
    }
    return push_exit_failed;
}

}  // namespace walden::cli
