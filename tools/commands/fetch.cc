#include "tools/commands/fetch.h"

#include "storage/all_stores.h"
#include "tools/cli/fetch_here.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"
#include "tools/cli/process.h"
#include "tools/commands/all_commands.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace walden::commands {

namespace {

struct FetchOptions {
    std::string name;
    std::string path;
};

/// "walden --config FILE fetch ..." as "walden fetch --config FILE ...".
int fetch(const cli::Common& common, const FetchOptions& options) {
    std::vector<std::string> words = {"walden", "fetch"};
    if (!common.config_path.empty()) words.insert(words.end(), {"--config", common.config_path});
    words.insert(words.end(), {options.name, options.path});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return run_as_fetch(static_cast<int>(words.size()), argv.data());
}

}  // namespace

bool is_fetch(int argc, char** argv) {
    return argc > 1 && std::string_view(argv[1]) == "fetch";
}

int run_as_fetch(int argc, char** argv) {
    cli::prepare_process(cli::fetch_exit_internal, cli::fetch_exit_internal);
    cli::set_program_name("walden fetch");
    return cli::run_fetch_program(argc - 1, argv + 1, "walden fetch",
                                  [](const cli::Arguments& arguments) {
                                      return cli::fetch_here(arguments, storage::all_stores());
                                  });
}

void add_fetch(const cli::Command& parent) {
    const auto options = std::make_shared<FetchOptions>();
    const cli::Command command = parent.plain_command(
        "fetch", "Bring one archived file, as walden-fetch does and with its exit status",
        [options](const cli::Common& common) { return fetch(common, *options); });
    command.operand("NAME", options->name, "The file's name in the archive");
    command.operand("PATH", options->path, "Where it goes");
}

}  // namespace walden::commands
