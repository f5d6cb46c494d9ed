#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"
#include "vault/object_storage.h"

#include <chrono>
#include <memory>

namespace walden::commands {

namespace {

struct UnpackOptions {
    std::string path;         ///< a content object, copied from the store
    std::string output_path;  ///< must not exist
    std::string object_key;   ///< the key that it had in the store; empty: its name tells
};

/// Where an object of this name lies in the store, if it is a content of this cluster:
/// "<file name>.<content id>", maybe with the number of a copy.
std::optional<std::string> content_key_of(const std::string& name,
                                          const vault::ClusterLayout& layout) {
    const std::string original = vault::ClusterLayout::content_of_copy(name).value_or(name);
    const std::size_t dot = original.find_last_of('.');
    if (dot == std::string::npos || dot == 0) return std::nullopt;
    const auto id = crypto::parse_content_id(std::string_view(original).substr(dot + 1));
    if (!id) return std::nullopt;
    const std::string copy = name.substr(original.size());
    return layout.content_key(original.substr(0, dot), *id) + copy;
}

Error not_a_content(const std::string& path) {
    return Error(ErrorKind::usage,
                 format("\"{}\" does not have the name of a content object", path))
        .with_hint(
            "Contents are below content/ in the store, and are called like "
            "000000010000000000000007.<64 hex digits>. Keep that name, or give the key that "
            "the object had in the store with --object.");
}

/// Opens the object as one of any system that was ever registered under the cluster's name: the key
/// is authenticated, so only the right one opens it.
Bytes open_object(const cli::Session& session, const UnpackOptions& options, ByteView object) {
    std::optional<Error> refusal;
    for (const std::uint64_t system : session.systems_in_store()) {
        const vault::ClusterVault vault = session.open_cluster(system);
        const auto key = options.object_key.empty()
                             ? content_key_of(base_name(options.path), vault.layout())
                             : std::optional(options.object_key);
        if (!key) throw not_a_content(options.path);
        try {
            Bytes plain;
            vault.contents().open(*key, object, plain);
            return plain;
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            if (!refusal) refusal = error;
        }
    }
    if (!refusal) throw Error(ErrorKind::not_found, "no cluster of this name is in the store");
    throw Error(*refusal);
}

void write_output(const std::string& path, ByteView plain) {
    NewFile file(path, 0600);
    file.write(plain);
    file.sync();
    if (!file.commit_new())
        throw Error(ErrorKind::conflict, format("\"{}\" exists", path))
            .with_hint("Nothing is overwritten; name another file.");
    sync_directory(parent_directory(path));
}

int unpack(const cli::Common& common, const UnpackOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, cli::typed(config.fetch.deadline), storage::all_stores());
    const auto object = read_file(options.path, vault::ObjectStorage::object_size_max);
    if (!object) throw Error(ErrorKind::not_found, format("there is no file \"{}\"", options.path));
    const Bytes plain = in_context([&] { return format("unpack \"{}\"", options.path); },
                                   [&] { return open_object(session, options, *object); });
    write_output(options.output_path, plain);
    if (common.is_json())
        cli::print_json({{"output", options.output_path}, {"size", plain.size()}});
    else
        print_line(format("{}: {}, whole and as it was archived", options.output_path,
                          size_text(plain.size())));
    return 0;
}

}  // namespace

void add_unpack(const cli::Command& parent) {
    const auto options = std::make_shared<UnpackOptions>();
    const cli::Command command =
        parent.command("unpack", "Turn one content object back into the file it was",
                       [options](const cli::Common& common) { return unpack(common, *options); });
    command.operand("FILE", options->path, "A content object, copied from the store");
    command.option("-o,--output", options->output_path, "The file to write, a new one").required();
    command.option("--object", options->object_key,
                   "The object's key in the store, where FILE has another name");
}

}  // namespace walden::commands
