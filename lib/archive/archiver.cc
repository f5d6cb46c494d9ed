#include "archive/archiver.h"

#include <dirent.h>

#include <ctime>
#include <memory>

#include "archive/source_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/record_reader.h"
#include "wal/segment_identity.h"
#include "wal/timeline_history.h"

namespace walden::archive {

namespace {

/// Histories and labels are a few hundred bytes; this only stops a mistake.
constexpr std::size_t text_file_size_max = 16 << 20;

std::string base_name(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

vault::FileKind file_kind(wal::WalFileKind kind) {
    switch (kind) {
        case wal::WalFileKind::segment: return vault::FileKind::segment;
        case wal::WalFileKind::partial: return vault::FileKind::partial;
        case wal::WalFileKind::history: return vault::FileKind::history;
        case wal::WalFileKind::backup_label: return vault::FileKind::backup_label;
    }
    return vault::FileKind::segment;
}

bool is_wal(wal::WalFileKind kind) {
    return kind == wal::WalFileKind::segment || kind == wal::WalFileKind::partial;
}

std::string describe_writer(const vault::Entry& entry) {
    return format("instance {} on host {}", to_hex(entry.writer.instance), entry.writer.host);
}

}  // namespace

ArchiveResult Archiver::archive(const std::string& path) {
    return in_context([&] { return format("archive {}", base_name(path)); }, [&] {
        ArchiveResult result;
        File file = read(path);
        if (is_wal(file.name.kind)) examine_segment(file, result);
        file.entry.content_id = vault_.content_id(file.bytes);
        result.plain_size = file.bytes.size();
        if (file.entry.kind == vault::FileKind::partial)
            file.entry_key =
                vault_.layout().partial_key(file.entry.file_name, file.entry.content_id);

        // Beyond this point the file is known to be ours and whole.
        const auto present = vault_.find_entry(file.entry_key);
        if (present && present->entry.content_id != file.entry.content_id)
            keep_conflict(file, present->entry);
        const bool claims = file.entry.kind == vault::FileKind::segment ||
                            file.entry.kind == vault::FileKind::history;
        // What is archived already adds nothing to the line. A history is the exception: forks
        // write the same one.
        if (claims && (!present || file.entry.kind == vault::FileKind::history))
            membership_.require({.name = file.name, .wal_directory = file.directory});
        if (present) {
            settle_identical(file, present->entry);
            result.outcome = ArchiveOutcome::already_stored;
            result.stored_size = present->entry.stored_size();
        } else {
            store(file, result);
        }
        remember(file, result);
        return result;
    });
}

Archiver::File Archiver::read(const std::string& path) const {
    File file;
    const std::string text = base_name(path);
    const auto name = wal::parse_wal_file_name(text);
    if (!name)
        throw Error(ErrorKind::usage,
                    format("\"{}\" is not the name of a file that PostgreSQL archives", text));
    if (name->kind != wal::WalFileKind::history &&
        !wal::resolve_segment(*name, settings_.instance.segment_size))
        throw Error(ErrorKind::foreign,
                    format("a cluster with segments of {} bytes has no \"{}\"",
                           settings_.instance.segment_size.bytes(), text));
    file.name = *name;
    file.directory = parent_directory(path);
    // One byte more than a segment, so that a longer file is read as longer and refused as such.
    file.bytes = read_source_file(path, is_wal(name->kind)
                                            ? settings_.instance.segment_size.bytes() + 1
                                            : text_file_size_max);
    file.entry.kind = file_kind(name->kind);
    file.entry.file_name = text;
    file.entry.system_identifier = settings_.system_identifier;
    file.entry.writer = {.instance = state_.instance(),
                         .time = std::time(nullptr),
                         .host = settings_.instance.host,
                         .version = settings_.version};
    const vault::ClusterLayout& layout = vault_.layout();
    switch (name->kind) {
        case wal::WalFileKind::segment: file.entry_key = layout.segment_key(text); break;
        case wal::WalFileKind::partial: break;  // named by its content id, computed later
        case wal::WalFileKind::backup_label: file.entry_key = layout.label_key(text); break;
        case wal::WalFileKind::history: {
            file.entry_key = layout.history_key(text);
            const auto parsed = wal::parse_timeline_history(file.bytes, name->timeline);
            if (!parsed.history)
                throw Error(ErrorKind::corrupt,
                            format("timeline history is malformed: {}", parsed.reason));
            break;
        }
    }
    return file;
}

void Archiver::require_identity(const File& file) const {
    const auto mismatch = wal::check_segment_identity(
        file.bytes, {.name = *wal::resolve_segment(file.name, settings_.instance.segment_size),
                     .segment_size = settings_.instance.segment_size,
                     .system_identifier = settings_.system_identifier,
                     .major_version = std::nullopt});
    if (mismatch) throw Error(wal::error_kind(mismatch->problem), mismatch->text);
}

void Archiver::examine_segment(File& file, ArchiveResult& result) const {
    require_identity(file);
    const wal::SegmentReport report = wal::read_segment(
        {.bytes = file.bytes,
         .name = *wal::resolve_segment(file.name, settings_.instance.segment_size),
         .segment_size = settings_.instance.segment_size,
         .system_identifier = settings_.system_identifier,
         .carry_in = nullptr});
    file.entry.facts = wal::encode_facts(wal::to_stored_facts(report));
    if (file.entry.kind == vault::FileKind::segment && !report.is_complete())
        examine_incomplete(file, report, result);
}

void Archiver::examine_incomplete(File& file, const wal::SegmentReport& report,
                                  ArchiveResult& result) const {
    if (was_left_inside(file, report.valid_end)) {
        // A standby with archive_mode = always hands over the last segment of a timeline that was
        // left in the middle of it under its full name (walreceiver.c). It is a partial one, and what
        // follows its last record may be anything.
        file.entry.kind = vault::FileKind::partial;
        file.entry.file_name += ".partial";
        result.warnings.push_back(
            format("{} ends at {} where its timeline was left: kept as {}",
                   to_string(file.name), to_string(report.valid_end), file.entry.file_name));
        return;
    }
    const std::string problem = format("WAL is damaged at {}: {}", to_string(report.stopped_at),
                                       report.reason);
    if (settings_.on_damaged_wal == DamagedWalPolicy::refuse)
        throw Error(ErrorKind::corrupt, problem)
            .with_hint("The damage is in pg_wal itself. Take a base backup; archive.on_damaged_wal = "
                       "\"archive\" lets archiving go on.");
    result.warnings.push_back(
        format("{}: archived as it is, marked as damaged; no recovery can pass it. Take a base "
               "backup now",
               problem));
}

/// Whether some timeline left this one inside the segment, at or before the end of what is valid.
bool Archiver::was_left_inside(const File& file, wal::Lsn valid_end) const {
    const auto segment = *wal::resolve_segment(file.name, settings_.instance.segment_size);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(file.directory.c_str()), ::closedir);
    if (!dir) return false;
    while (const dirent* item = ::readdir(dir.get())) {
        const auto name = wal::parse_wal_file_name(item->d_name);
        if (!name || name->kind != wal::WalFileKind::history) continue;
        const Bytes bytes =
            read_source_file(file.directory + "/" + item->d_name, text_file_size_max);
        const auto parsed = wal::parse_timeline_history(bytes, name->timeline);
        if (!parsed.history) continue;
        const auto left = parsed.history->switch_point(segment.timeline);
        if (left && *left <= valid_end &&
            wal::segment_number_of(*left, settings_.instance.segment_size) ==
                segment.segment_number)
            return true;
    }
    return false;
}

std::optional<vault::Predecessor> Archiver::find_predecessor(const File& file,
                                                             ArchiveResult& result) const {
    const wal::SegmentSize size = settings_.instance.segment_size;
    const auto segment = *wal::resolve_segment(file.name, size);
    const auto before = wal::previous(segment);
    if (!before) return std::nullopt;

    std::vector<wal::TimelineId> timelines = {segment.timeline};
    if (segment.timeline > 1) {
        const std::string history_path =
            format("{}/{}.history", file.directory, wal::timeline_part(segment.timeline));
        if (const auto bytes = read_file(history_path, text_file_size_max)) {
            const auto parsed = wal::parse_timeline_history(*bytes, segment.timeline);
            if (parsed.history)
                timelines = parsed.history->timelines_of_segment(before->segment_number, size);
        }
    }
    const auto& last = state_.last_archived();
    for (const wal::TimelineId timeline : timelines) {
        const std::string name =
            to_string(wal::SegmentName{timeline, before->segment_number}, size);
        std::optional<vault::StoredEntry> stored;
        try {
            stored = vault_.find_entry(vault_.layout().segment_key(name));
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::corrupt) throw;
            // What the store lost is lost; keeping back the next segment would only fill pg_wal.
            result.warnings.push_back(format(
                "{}: no recovery can pass {}. Take a base backup now", error.message(), name));
            continue;
        }
        if (!stored && last && last->file_name == name)
            result.warnings.push_back(
                format("{} was archived from here and is not in the archive any more: was the store "
                       "replaced by an older copy? Take a base backup now",
                       name));
        if (!stored) continue;
        if (last && last->file_name == name && last->content_id != stored->entry.content_id)
            throw Error(ErrorKind::conflict,
                        format("the archive's {} is not the one that this instance archived", name))
                .with_detail(format("The archive's was written by {}.",
                                    describe_writer(stored->entry)))
                .with_hint("Another instance archives into this timeline, or the store was replaced "
                           "by an older copy.");
        return vault::Predecessor{.file_name = name, .content_id = stored->entry.content_id};
    }
    return std::nullopt;
}

void Archiver::store(File& file, ArchiveResult& result) {
    if (file.entry.kind == vault::FileKind::segment)
        file.entry.predecessor = find_predecessor(file, result);
    vault_.put_contents(file.bytes, settings_.encoding, file.entry);
    result.stored_size = file.entry.stored_size();
    if (vault_.publish(file.entry_key, file.entry) !=
        vault::ClusterVault::PublishOutcome::different)
        return;
    const auto present = vault_.find_entry(file.entry_key);
    if (!present)
        throw Error(ErrorKind::unavailable,
                    format("entry \"{}\" was there and is gone", file.entry_key));
    keep_conflict(file, present->entry);
}

void Archiver::settle_identical(const File& file, const vault::Entry& present) const {
    vault_.make_durable(file.entry_key, present);
    if (vault_.has_whole_contents(present)) return;
    // The content under a living entry was removed or is damaged. We still have it.
    vault::Entry again = file.entry;
    vault_.put_contents(file.bytes, settings_.encoding, again);
    // With another codec than the first time it may have been so small that it was not stored.
    if (!vault_.has_contents(present))
        throw Error(ErrorKind::corrupt, "the archive has an entry without its content")
            .with_hint("Push it with the codec that it was first archived with.");
}

void Archiver::keep_conflict(File& file, const vault::Entry& present) const {
    vault_.put_contents(file.bytes, settings_.encoding, file.entry);
    const std::string key =
        vault_.layout().conflict_key(file.entry.file_name, file.entry.content_id);
    static_cast<void>(vault_.publish(key, file.entry));
    throw Error(ErrorKind::conflict, "the archive holds other content under this name")
        .with_detail(format("The archive's has content id {} and was written by {}; this one has {} "
                            "and comes from instance {} on host {}. The archive's is unchanged, this "
                            "one is kept as \"{}\".",
                            to_string(present.content_id), describe_writer(present),
                            to_string(file.entry.content_id), to_hex(state_.instance()),
                            settings_.instance.host, key))
        .with_hint(present.writer.instance == state_.instance()
                       ? "The file has changed since this server archived it: it is damaged, or the "
                         "data directory was replaced by another copy of the cluster."
                       : "Two servers write the same timeline: a clone, or an old primary that was "
                         "started again. Stop the wrong one, or give it a cluster name of its own.");
}

void Archiver::remember(const File& file, ArchiveResult& result) {
    if (file.entry.kind == vault::FileKind::segment)
        state_.set_last_archived(
            {.file_name = file.entry.file_name, .content_id = file.entry.content_id});
    if (!state_.save())
        result.warnings.push_back(format("could not write \"{}\"; archiving works without it, "
                                         "more slowly",
                                         state_.path()));
}

}  // namespace walden::archive
