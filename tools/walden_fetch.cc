// walden-fetch: PostgreSQL's restore_command.
#include "storage/store_url.h"
#include "tools/cli/fetch_command.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"

#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace walden;
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden-fetch");
    return cli::run_fetch(argc, argv, "walden-fetch",
                          [&](const cli::Config& config) -> std::unique_ptr<vault::ObjectStorage> {
                              // It has the same exit codes from its first instruction on.
                              if (!storage::is_directory_url(config.store_url)) {
                                  std::vector<std::string> words = {"fetch"};
                                  for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
                                  cli::become_program("walden", std::move(words));
                              }
                              return cli::open_local_storage(config);
                          });
}
