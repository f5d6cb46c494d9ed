#include "archive/prepared_file.h"

#include "archive/previous_segment.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/segment_examiner.h"
#include "wal/segment_identity.h"
#include "wal/stored_facts.h"
#include "wal/timeline_history.h"

#include <dirent.h>

#include <ctime>
#include <memory>

namespace walden::archive {

namespace {

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

}  // namespace

StorableFile::StorableFile(PreparedFile file, const crypto::ContentId& content_id,
                           const vault::ClusterLayout& layout)
    : name(file.name),
      directory(std::move(file.directory)),
      version(file.version),
      plain_size(file.bytes->size()),
      bytes(std::move(file.bytes)),
      entry(std::move(file.entry)),
      entry_key(entry.kind == vault::FileKind::partial
                    ? layout.partial_key(entry.file_name, content_id)
                    : std::move(file.entry_key)),
      warnings(std::move(file.warnings)),
      is_damaged(file.is_damaged) {
    entry.content_id = content_id;
}

codec::PlainReason StorableFile::plain_reason() const {
    return is_wal(name.kind) ? entry.plain_reason() : codec::PlainReason::none;
}

PreparedFile FilePreparer::read(const FileSource& source) const {
    PreparedFile file = name_file(source);
    // One byte more than a segment, so that a longer file is read as longer and refused as such.
    SourceBytes read =
        read_source(source, is_wal(file.name.kind) ? settings_.instance.segment_size.bytes() + 1
                                                   : text_file_size_max);
    file.bytes = std::move(read.bytes);
    file.version = read.version;
    return file;
}

void FilePreparer::examine(PreparedFile& file) const {
    if (is_wal(file.name.kind)) examine_segment(file);
    if (file.name.kind == wal::WalFileKind::history) {
        const auto parsed = wal::parse_timeline_history(*file.bytes, file.name.timeline);
        if (!parsed.history)
            throw Error(ErrorKind::corrupt,
                        format("timeline history is malformed: {}", parsed.reason));
    }
}

PreparedFile FilePreparer::name_file(const FileSource& source) const {
    PreparedFile file;
    const std::string& text = source.name;
    const auto name = wal::parse_wal_file_name(text);
    if (!name)
        throw Error(ErrorKind::usage,
                    format("\"{}\" is not the name of a file that PostgreSQL archives", text));
    if (name->kind != wal::WalFileKind::history &&
        !wal::resolve_segment(*name, settings_.instance.segment_size))
        throw Error(ErrorKind::foreign, format("a cluster with segments of {} bytes has no \"{}\"",
                                               settings_.instance.segment_size.bytes(), text));
    file.name = *name;
    file.directory = source.directory;
    file.entry.kind = file_kind(name->kind);
    file.entry.file_name = text;
    file.entry.system_identifier = settings_.system_identifier;
    file.entry.writer = {.instance = instance_,
                         .time = std::time(nullptr),
                         .host = settings_.instance.host,
                         .version = settings_.version};
    switch (name->kind) {
        case wal::WalFileKind::segment: file.entry_key = layout_.segment_key(text); break;
        case wal::WalFileKind::partial: break;
        case wal::WalFileKind::backup_label: file.entry_key = layout_.label_key(text); break;
        case wal::WalFileKind::history: file.entry_key = layout_.history_key(text); break;
    }
    return file;
}

void FilePreparer::require_identity(const PreparedFile& file) const {
    const auto mismatch = wal::check_segment_identity(
        *file.bytes, {.name = *wal::resolve_segment(file.name, settings_.instance.segment_size),
                      .segment_size = settings_.instance.segment_size,
                      .system_identifier = settings_.system_identifier,
                      .major_version = std::nullopt});
    if (mismatch) throw Error(wal::error_kind(mismatch->problem), mismatch->text);
}

void FilePreparer::examine_segment(PreparedFile& file) const {
    require_identity(file);
    const wal::SegmentInput segment = {
        .bytes = *file.bytes,
        .name = *wal::resolve_segment(file.name, settings_.instance.segment_size),
        .segment_size = settings_.instance.segment_size,
        .system_identifier = settings_.system_identifier,
        .carry_in = nullptr};
    const wal::SegmentExamination examined =
        wal::examine_segment(segment, read_end_of_previous(file.directory, segment));
    const wal::SegmentReport& report = examined.report;
    file.entry.facts = wal::encode_facts(wal::to_stored_facts(report));
    file.entry.block_references = wal::encode_block_references(examined.references);
    if (file.entry.kind == vault::FileKind::segment && !report.is_complete())
        examine_incomplete(file, report);
}

void FilePreparer::examine_incomplete(PreparedFile& file, const wal::SegmentReport& report) const {
    if (was_left_inside(file, report.valid_end)) {
        // A standby with archive_mode = always hands over the last segment of a timeline that was
        // left in the middle of it under its full name (walreceiver.c). It is a partial one, and
        // what follows its last record may be anything.
        file.entry.kind = vault::FileKind::partial;
        file.entry.file_name += ".partial";
        file.warnings.push_back(format("{} ends at {} where its timeline was left: kept as {}",
                                       to_string(file.name), to_string(report.valid_end),
                                       file.entry.file_name));
        return;
    }
    const std::string problem =
        format("WAL is damaged at {}: {}", to_string(report.stopped_at), report.reason);
    if (settings_.on_damaged_wal == DamagedWalPolicy::refuse)
        throw Error(ErrorKind::corrupt, problem)
            .with_hint(
                "The damage is in pg_wal itself. Take a base backup; archive.on_damaged_wal = "
                "\"archive\" lets archiving go on.");
    file.is_damaged = true;
    file.warnings.push_back(
        format("{}: archived as it is, marked as damaged; no recovery can pass it. Take a base "
               "backup now",
               problem));
}

/// Whether some timeline left this one inside the segment, at or before the end of what is valid.
bool FilePreparer::was_left_inside(const PreparedFile& file, wal::Lsn valid_end) const {
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

}  // namespace walden::archive
