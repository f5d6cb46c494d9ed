// walden-fetch: PostgreSQL's restore_command.
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "storage/s3/s3_settings.h"
#include "tools/cli/fetch_command.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"

namespace walden {

namespace {

/// Becomes "walden fetch" with the same arguments, which has the same exit codes from its first
/// instruction on.
[[noreturn]] void become_walden(int argc, char** argv) {
    const std::string program = cli::program_directory() + "/walden";
    std::string word = "fetch";
    std::vector<char*> arguments = {const_cast<char*>(program.c_str()), word.data()};
    for (int i = 1; i < argc; ++i) arguments.push_back(argv[i]);
    arguments.push_back(nullptr);
    ::execv(program.c_str(), arguments.data());
    throw Error(system_error(ErrorKind::io, format("cannot run \"{}\"", program), errno))
        .with_hint("It belongs beside walden-fetch, which leaves S3 to it.");
}

}  // namespace

}  // namespace walden

int main(int argc, char** argv) {
    using namespace walden;
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden-fetch");
    return cli::run_fetch(argc, argv, "walden-fetch",
                          [&](const cli::Config& config) -> std::unique_ptr<vault::ObjectStorage> {
                              if (storage::s3::is_s3_url(config.store_url))
                                  become_walden(argc, argv);
                              return cli::open_local_storage(config);
                          });
}
