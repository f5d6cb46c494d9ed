// walden-bench: measures walden's stages, the limits of the machine and, where they are found, the
// peers. bench/README.md says how.
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "bench/child_process.h"
#include "bench/page_ratio.h"
#include "bench/ratio.h"
#include "bench/servers_driver.h"
#include "bench/stages.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace {

/// The programs lie in ../tools of the build, or beside this one where it is installed.
std::string programs_beside_us() {
    std::string path(4096, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::string directory = walden::parent_directory(path);
    const std::string in_build = walden::parent_directory(directory) + "/tools";
    return ::access((in_build + "/walden-push").c_str(), X_OK) == 0 ? in_build : directory;
}

CLI::App* add_pages_command(CLI::App& app, walden::bench::PageRatioOptions& options) {
    CLI::App* pages =
        app.add_subcommand("pages", "How small and how fast the page codec stores data files");
    pages->add_option("PATH", options.paths, "Relation files, or directories of them (base/)")
        ->required();
    pages->add_option("--runs", options.run_count, "Counted runs")->check(CLI::Range(1, 1000));
    pages->add_option("--bar", options.bar, "What its bytes may be of zstd-3's at 256 KiB");
    pages->add_flag("--json", options.prints_json, "One JSON object a line");
    return pages;
}

CLI::App* add_ratio_command(CLI::App& app, walden::bench::RatioOptions& options,
                            bool& skips_one_shot) {
    CLI::App* ratio =
        app.add_subcommand("ratio", "How small and how fast, by kind of WAL and method");
    ratio->add_option("--corpus", options.corpus, "Directory made by bench/wal_corpus.py")
        ->required();
    ratio->add_option("--kinds", options.kinds, "Kinds of WAL with commas between; else all");
    ratio->add_option("--segments", options.segment_count, "Segments of each kind")
        ->check(CLI::Range(1, 1000));
    ratio->add_option("--runs", options.run_count, "Counted runs of each stage")
        ->check(CLI::Range(1, 1000));
    ratio->add_flag("--no-one-shot", skips_one_shot, "Without fresh processes");
    ratio->add_flag("--json", options.prints_json, "One JSON object a line");
    return ratio;
}

int run(int argc, char** argv) {
    CLI::App app("Measures walden.", "walden-bench");
    app.require_subcommand(1);
    walden::bench::StagesOptions options;
    options.programs = programs_beside_us();
    CLI::App* stages =
        app.add_subcommand("stages", "Each step of archiving and restoring one segment");
    stages->add_option("--corpus", options.corpus, "Directory made by bench/wal_corpus.py")
        ->required();
    stages->add_option("--kind", options.kind, "Kind of WAL: oltp, oltp-fresh, app, bulk, idle");
    stages->add_option("--programs", options.programs, "Directory with walden and walden-push");
    stages->add_option("--scratch", options.scratch, "Directory on the disk to measure");
    stages->add_option("--runs", options.run_count, "Counted runs of each stage")
        ->check(CLI::Range(1, 1000));
    stages->add_flag("--json", options.prints_json, "One JSON object a line");

    walden::bench::RatioOptions ratio_options;
    bool skips_one_shot = false;
    CLI::App* ratio = add_ratio_command(app, ratio_options, skips_one_shot);
    std::string once_method;
    std::string once_path;
    CLI::App* once = app.add_subcommand("encode-once", "What \"ratio\" starts as fresh processes");
    once->add_option("METHOD", once_method, "As \"ratio\" names them")->required();
    once->add_option("FILE", once_path, "A segment")->required();

    walden::bench::PageRatioOptions page_options;
    CLI::App* pages = add_pages_command(app, page_options);

    // The drivers read their own arguments and have their own help.
    const std::pair<const char*, const char*> drivers[] = {
        {"archive", "Archiving by PostgreSQL itself, beside the peers"},
        {"recover", "Recovery by PostgreSQL itself, beside the peers"},
        {"backup", "Base backups and restores, beside the peers"}};
    for (const auto& [name, text] : drivers)
        app.add_subcommand(name, text)->prefix_command()->set_help_flag();
    CLI11_PARSE(app, argc, argv);
    for (const auto& [name, text] : drivers)
        if (const CLI::App* driver = app.get_subcommand(name); driver->parsed())
            walden::bench::become_servers_driver(walden::format("{}.py", name), options.programs,
                                                 driver->remaining());
    if (stages->parsed()) walden::bench::run_stages(options);
    if (once->parsed()) walden::bench::encode_once(once_method, once_path);
    if (pages->parsed()) return walden::bench::run_page_ratio(page_options) ? 0 : 1;
    if (ratio->parsed()) {
        ratio_options.runs_one_shot = !skips_one_shot;
        return walden::bench::run_ratio(ratio_options) ? 0 : 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (walden::bench::run_as_launcher(argc, argv)) return 0;
        return run(argc, argv);
    } catch (const walden::Error& error) {
        std::fprintf(stderr, "walden-bench: error: %s\n", error.what());
        if (!error.hint().empty())
            std::fprintf(stderr, "walden-bench: hint: %s\n", error.hint().c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "walden-bench: error: %s\n", error.what());
    }
    return 1;
}
