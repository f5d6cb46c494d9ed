#include "archive/membership.h"
#include "base/error.h"
#include "base/format.h"
#include "base/secret.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"
#include "vault/repository.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <memory>

namespace walden::commands {

namespace {

struct KeyOptions {
    std::string bundle = "read";         ///< of the key to add
    std::string key_file;                ///< to write (add) or to test
    bool is_passphrase = false;          ///< the key to add or to test is a passphrase
    std::string label;                   ///< of the key to add
    std::string slot;                    ///< to remove: slot id, or its unique beginning
    bool completes = false;              ///< a rotation that was interrupted
    bool unlocks_by_passphrase = false;  ///< open the repository by passphrase, not as configured
};

/// Reads a line without showing it if stdin is a terminal.
std::string read_hidden_line(const char* prompt) {
    termios shown{};
    const bool is_terminal = ::tcgetattr(STDIN_FILENO, &shown) == 0;
    if (is_terminal) {
        std::fputs(prompt, stderr);
        termios hidden = shown;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    std::string line;
    for (int c; (c = std::getchar()) != EOF && c != '\n';) line += static_cast<char>(c);
    if (is_terminal) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        std::fputc('\n', stderr);
    }
    if (line.empty()) throw Error(ErrorKind::usage, "no passphrase was given");
    return line;
}

crypto::UnlockSecret ask_passphrase() {
    return crypto::UnlockSecret::from_passphrase(read_hidden_line("Passphrase: "));
}

crypto::UnlockSecret ask_new_passphrase() {
    std::string first = read_hidden_line("New passphrase: ");
    std::string second = read_hidden_line("Again: ");
    const bool is_same = first == second;
    secure_zero(second.data(), second.size());
    if (!is_same) throw Error(ErrorKind::usage, "the two passphrases differ");
    if (first.size() < 12)
        throw Error(ErrorKind::usage, "a passphrase has at least 12 characters")
            .with_hint("Six random words are a good one.");
    return crypto::UnlockSecret::from_passphrase(std::move(first));
}

/// Opens the repository as configured, or with a passphrase that is asked for.
cli::Session open_session(const cli::Common& common, const KeyOptions& options) {
    cli::Config config = cli::read_config(common.config_path);
    if (!config.encryption.is_enabled)
        throw Error(ErrorKind::usage, "the repository is not encrypted: it has no keys");
    if (options.unlocks_by_passphrase) config.encryption.key_source = ask_passphrase();
    const auto deadline = config.archive.deadline;
    return {std::move(config), cli::typed(deadline), storage::all_stores()};
}

void require_read_bundle(const cli::Session& session) {
    if (session.repository().bundle()->kind() != crypto::BundleKind::read)
        throw Error(ErrorKind::usage, "a key with the put bundle cannot manage keys")
            .with_hint("Use a key with the read bundle.");
}

/// What the list shows of a slot besides its header.
struct SlotMarks {
    bool is_ours = false;     ///< it opened the repository just now
    bool is_current = false;  ///< it holds the newest epoch, by the word of who made it
};

SlotMarks marks_of(const vault::SlotState& slot, const vault::Repository& repository) {
    return {.is_ours = repository.opened_slot()->id == slot.header.id,
            .is_current =
                crypto::is_slot_endorsed(slot.newest, repository.bundle()->admin_public_key())};
}

cli::Json slot_json(const crypto::SlotHeader& slot, SlotMarks marks) {
    return {{"slot", to_hex(slot.id)},
            {"bundle", to_string(slot.bundle)},
            {"cluster", slot.cluster},
            {"source", slot.source == crypto::SlotSource::passphrase ? "passphrase" : "key"},
            {"label", slot.label},
            {"created", json_time(slot.created)},
            {"generation", slot.generation},
            {"current", marks.is_current},
            {"in_use_here", marks.is_ours}};
}

void print_slot(const crypto::SlotHeader& slot, SlotMarks marks) {
    print_line(format(
        "{} {}  {}{}  {}  {}  {}{}", marks.is_ours ? "*" : " ", to_hex(slot.id),
        to_string(slot.bundle), slot.cluster.empty() ? "" : format(" (cluster {})", slot.cluster),
        slot.source == crypto::SlotSource::passphrase ? "passphrase" : "key",
        time_text(slot.created), slot.label,
        marks.is_current ? "" : "  NOT CURRENT: left behind by a rotation, or not one of ours"));
}

/// The only slot whose id begins with `beginning`.
const vault::SlotState& find_slot(const std::vector<vault::SlotState>& slots,
                                  const std::string& beginning) {
    const vault::SlotState* found = nullptr;
    for (const vault::SlotState& slot : slots) {
        if (!to_hex(slot.header.id).starts_with(beginning)) continue;
        if (found != nullptr)
            throw Error(ErrorKind::usage,
                        format("\"{}\" is the beginning of several slots", beginning));
        found = &slot;
    }
    if (found == nullptr || beginning.empty())
        throw Error(ErrorKind::usage, format("there is no slot \"{}\"", beginning))
            .with_hint("\"walden keys list\" shows them.");
    return *found;
}

void report_added(const cli::Common& common, const crypto::SlotHeader& slot,
                  const std::string& file) {
    if (common.is_json()) {
        cli::print_json(slot_json(slot, {.is_ours = false, .is_current = true}));
        return;
    }
    print_line(format("Added slot {} with the {} bundle{}", to_hex(slot.id), to_string(slot.bundle),
                      file.empty() ? std::string(" for the passphrase")
                                   : format("; its key is in {} (mode 0600)", file)));
}

int list_keys(const cli::Common& common, const KeyOptions& options) {
    const cli::Session session = open_session(common, options);
    cli::Json all = cli::Json::array();
    for (const vault::SlotState& slot : vault::list_slots(session.storage())) {
        const SlotMarks marks = marks_of(slot, session.repository());
        if (common.is_json())
            all.push_back(slot_json(slot.header, marks));
        else
            print_slot(slot.header, marks);
    }
    if (common.is_json()) cli::print_json({{"slots", all}});
    return 0;
}

int add_key(const cli::Common& common, const KeyOptions& options) {
    if (options.is_passphrase == !options.key_file.empty()) {
        cli::report_error(
            Error(ErrorKind::usage, "name either --key-file or --passphrase")
                .with_hint("\"walden keys add --passphrase\" asks for one; \"walden keys add "
                           "--key-file FILE\" makes a new key and writes it to FILE."));
        return cli::exit_usage;
    }
    const cli::Session session = open_session(common, options);
    require_read_bundle(session);
    const crypto::UnlockSecret secret =
        options.is_passphrase ? ask_new_passphrase() : crypto::UnlockSecret::make_random_key();
    if (!options.key_file.empty()) {
        const std::vector<std::string> comments = {
            format("walden key with the {} bundle, made {} for repository {}", options.bundle,
                   now_rfc3339(), to_hex(session.repository().descriptor().id))};
        crypto::write_key_file(options.key_file, secret, comments);
    }
    const crypto::SlotHeader slot = vault::add_slot(
        session.storage(), secret, *session.repository().bundle(),
        {.label = options.label.empty() ? format("added on {}", archive::describe_host())
                                        : options.label,
         .created = std::time(nullptr),
         .scrypt_cost = {},
         .cluster = options.bundle == "put" ? session.config().cluster : ""});
    report_added(common, slot, options.key_file);
    return 0;
}

int remove_key(const cli::Common& common, const KeyOptions& options) {
    const cli::Session session = open_session(common, options);
    require_read_bundle(session);
    const auto slots = vault::list_slots(session.storage());
    const vault::SlotState& slot = find_slot(slots, options.slot);
    if (slot.header.id == session.repository().opened_slot()->id)
        throw Error(ErrorKind::usage, "that is the key in use here")
            .with_hint("Open the repository with another key to remove this one.");
    session.storage().remove(slot.keys);
    if (common.is_json())
        cli::print_json({{"removed", to_hex(slot.header.id)}});
    else
        print_line(
            format("Removed slot {}. Whoever has used that key may have kept what it opens: "
                   "\"walden keys rotate\" shuts it out from what is archived from now on.",
                   to_hex(slot.header.id)));
    return 0;
}

int rotate_keys(const cli::Common& common, const KeyOptions& options) {
    const cli::Session session = open_session(common, options);
    require_read_bundle(session);
    const vault::Rotation rotation =
        vault::rotate_keys(session.repository(), options.completes ? vault::LeftBehind::complete
                                                                   : vault::LeftBehind::refuse);
    if (common.is_json()) {
        cli::print_json({{"epoch", rotation.epoch}, {"resumed", rotation.was_resumed}});
        return 0;
    }
    print_line(
        rotation.was_resumed
            ? format("Finished the rotation to key epoch {} that had been interrupted.",
                     rotation.epoch)
            : format("Key epoch {} is in use from now on. All remaining keys have it; what was "
                     "archived before stays readable with the keys that could read it.",
                     rotation.epoch));
    return 0;
}

int test_key(const cli::Common& common, const KeyOptions& options) {
    cli::Config config = cli::read_config(common.config_path);
    if (!config.encryption.is_enabled)
        throw Error(ErrorKind::usage, "the repository is not encrypted: it has no keys");
    if (!options.key_file.empty())
        config.encryption.key_source = crypto::KeyFile{options.key_file};
    else if (options.is_passphrase)
        config.encryption.key_source = ask_passphrase();
    const auto deadline = config.archive.deadline;
    const cli::Session session(std::move(config), cli::typed(deadline), storage::all_stores());
    const crypto::KeyBundle& bundle = *session.repository().bundle();
    const bool can_read = bundle.kind() == crypto::BundleKind::read;
    // The proof is a content that was sealed and opened again with nothing but this key.
    const vault::ClusterKeyring keys = session.repository().keyring(session.config().cluster);
    if (can_read) vault::prove_keyring(keys);
    // A script that watches over the copy in the safe asks whether it can restore.
    const int exit_code = can_read ? 0 : 1;
    if (common.is_json()) {
        cli::print_json({{"ok", can_read},
                         {"slot", to_hex(session.repository().opened_slot()->id)},
                         {"bundle", to_string(bundle.kind())},
                         {"epochs", bundle.epochs().size()},
                         {"can_restore", can_read}});
        return exit_code;
    }
    print_line(format("This key opens repository {} (slot {}, {} bundle, {}).",
                      to_hex(bundle.repository()), to_hex(session.repository().opened_slot()->id),
                      to_string(bundle.kind()), count_text(bundle.epochs().size(), "epoch")));
    print_line(can_read
                   ? "It can restore everything in it."
                   : "It can archive. It CANNOT restore: keep a key with the read bundle, too.");
    return exit_code;
}

int generate_key(const cli::Common& common) {
    Bytes text = crypto::UnlockSecret::make_random_key().to_key_text();
    const ZeroOnExit zero(text);
    std::string_view line = as_text(text);
    while (line.ends_with('\n')) line.remove_suffix(1);
    if (common.is_json())
        cli::print_json({{"key", line}});
    else
        print_line(line);
    return 0;
}

}  // namespace

void add_keys(const cli::Command& parent) {
    const auto options = std::make_shared<KeyOptions>();
    const auto with_options = [&](int (*run)(const cli::Common&, const KeyOptions&)) {
        return [options, run](const cli::Common& common) { return run(common, *options); };
    };
    const cli::Command keys = parent.group("keys", "List, add, remove, rotate and test keys");
    keys.flag("--unlock-by-passphrase", options->unlocks_by_passphrase,
              "Open the repository with a passphrase instead of the configured key");
    static_cast<void>(
        keys.command("list", "Show the key slots of the repository", with_options(list_keys)));

    const cli::Command add =
        keys.command("add", "Add another key, as a file or a passphrase", with_options(add_key));
    add.option("--bundle", options->bundle,
               "\"read\": may do everything; \"put\": may archive this cluster and not read it")
        .one_of({"read", "put"});
    add.option("--key-file", options->key_file, "Write the new key to this file, mode 0600");
    add.flag("--passphrase", options->is_passphrase, "Ask for a passphrase instead");
    add.option("--label", options->label, "Who holds the key, for the list").at_most_bytes(200);

    keys.command("remove", "Remove a key slot; consider \"rotate\" afterwards",
                 with_options(remove_key))
        .operand("SLOT", options->slot, "Slot id, or its unique beginning");

    keys.command("rotate",
                 "Seal everything archived from now on to a new key, opened by the remaining slots",
                 with_options(rotate_keys))
        .flag("--complete", options->completes,
              "Finish a rotation that was interrupted; you vouch for every slot");

    const cli::Command test = keys.command(
        "test", "Prove that a key, or a copy of it, opens the repository", with_options(test_key));
    test.option("--key-file", options->key_file, "The copy to test; else the configured key");
    test.flag("--passphrase", options->is_passphrase, "Test a passphrase");

    static_cast<void>(keys.command(
        "generate",
        "Print a new key for key_env, or for a key management service; it is stored nowhere",
        generate_key));
}

}  // namespace walden::commands
