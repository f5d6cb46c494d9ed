#include "vault/backup_record.h"

#include "vault/record_fields.h"

#include <limits>

namespace walden::vault {

namespace {

constexpr std::uint16_t record_version = 1;
constexpr std::uint16_t must = record_must_understand;

enum class Verdict : std::uint8_t { commit = 1, abort = 2 };

constexpr std::uint8_t flag_from_standby = 1;

void write_id(ByteWriter& writer, const BackupId& id) {
    writer.write_text(id.text());
}

/// Not valid if the bytes are none; the caller asks.
BackupId read_id(ByteReader& reader) {
    return parse_backup_id(reader.read_text()).value_or(BackupId{});
}

void write_count(ByteWriter& writer, std::size_t count) {
    writer.write(static_cast<std::uint32_t>(count));
}

/// A count of elements that take `size_min` bytes each at least: none if they cannot be there, so
/// that no memory is taken for what ten bytes announce.
std::size_t read_count(ByteReader& reader, std::size_t size_min) {
    const auto count = reader.read<std::uint32_t>();
    if (count <= reader.remaining() / size_min) return count;
    reader.read_bytes(std::numeric_limits<std::size_t>::max());
    return 0;
}

void write_ids(ByteWriter& writer, const std::vector<BackupId>& ids) {
    write_count(writer, ids.size());
    for (const BackupId& id : ids) write_id(writer, id);
}

std::vector<BackupId> read_ids(ByteReader& reader) {
    std::vector<BackupId> ids(read_count(reader, 2 + BackupId::size));
    for (BackupId& id : ids) id = read_id(reader);
    return ids;
}

bool are_valid(const std::vector<BackupId>& ids) {
    for (const BackupId& id : ids)
        if (!id.is_valid()) return false;
    return true;
}

void write_writer(ByteWriter& out, const Writer& writer) {
    out.write_bytes(writer.instance);
    out.write(static_cast<std::uint64_t>(writer.time));
    out.write_text(writer.host);
    out.write_text(writer.version);
}

Writer read_writer(ByteReader& reader) {
    Writer writer;
    writer.instance = reader.read_array<16>();
    writer.time = static_cast<std::int64_t>(reader.read<std::uint64_t>());
    writer.host = reader.read_text();
    writer.version = reader.read_text();
    return writer;
}

constexpr std::size_t map_digest_size = 4 + 8 + 32;

void write_map(ByteWriter& writer, const MapDigest& map) {
    writer.write(map.number);
    writer.write(map.plain_size);
    writer.write_bytes(map.sha256);
}

MapDigest read_map(ByteReader& reader) {
    MapDigest map;
    map.number = reader.read<std::uint32_t>();
    map.plain_size = reader.read<std::uint64_t>();
    map.sha256 = reader.read_array<32>();
    return map;
}

std::string read_rest(ByteReader& reader) {
    return std::string(as_text(reader.read_bytes(reader.remaining())));
}

// The fields of an outcome; the comments of FORMAT.md name them.
enum OutcomeTag : std::uint16_t {
    tag_id = must | 1,
    tag_system = must | 2,
    tag_verdict = must | 3,
    tag_reason = 4,
    tag_writer = 5,
    tag_start = must | 0x10,
    tag_stop = must | 0x11,
    tag_format = must | 0x12,
    tag_index = must | 0x13,
    tag_usage = must | 0x14,
    tag_mode = must | 0x15,
    tag_label_file = must | 0x16,
    tag_tablespace_map = must | 0x17,
    tag_control_file = must | 0x18,
    tag_directory_mode = must | 0x19,
    tag_tablespaces = 0x1A,
    tag_times = 0x1B,
    tag_counts = 0x1C,
    tag_damage = 0x1D,
    tag_label = 0x1E,
    tag_parent = 0x1F,
    tag_owners = 0x20,
};

constexpr unsigned commit_field_count = 10;  // that must be there: start to directory mode

void write_format(ByteWriter& w, const ServerFormat& f) {
    w.write(f.control_version);
    w.write(f.catalog_version);
    w.write(f.major_version);
    w.write(f.page_size);
    w.write(f.pages_per_file);
    w.write(f.segment_size);
    w.write(f.checksum_version);
}

ServerFormat read_format(ByteReader& r) {
    ServerFormat f;
    f.control_version = r.read<std::uint32_t>();
    f.catalog_version = r.read<std::uint32_t>();
    f.major_version = r.read<std::uint16_t>();
    f.page_size = r.read<std::uint32_t>();
    f.pages_per_file = r.read<std::uint32_t>();
    f.segment_size = r.read<std::uint32_t>();
    f.checksum_version = r.read<std::uint32_t>();
    return f;
}

void write_damage(ByteWriter& w, const std::vector<DamagedPage>& pages) {
    write_count(w, pages.size());
    for (const DamagedPage& page : pages) {
        w.write_text(page.path);
        w.write(page.block);
        w.write(static_cast<std::uint8_t>(page.reason));
    }
}

std::vector<DamagedPage> read_damage(ByteReader& r) {
    std::vector<DamagedPage> pages(read_count(r, 2 + 4 + 1));
    for (DamagedPage& page : pages) {
        page.path = r.read_text();
        page.block = r.read<std::uint32_t>();
        page.reason = static_cast<DamageReason>(r.read<std::uint8_t>());
    }
    return pages;
}

void write_tablespaces(ByteWriter& w, const std::vector<BackupTablespace>& tablespaces) {
    write_count(w, tablespaces.size());
    for (const BackupTablespace& tablespace : tablespaces) {
        w.write(tablespace.oid);
        w.write_text(tablespace.path);
    }
}

std::vector<BackupTablespace> read_tablespaces(ByteReader& r) {
    std::vector<BackupTablespace> tablespaces(read_count(r, 4 + 2));
    for (BackupTablespace& tablespace : tablespaces) {
        tablespace.oid = r.read<std::uint32_t>();
        tablespace.path = r.read_text();
    }
    return tablespaces;
}

void write_maps(ByteWriter& w, const std::vector<MapDigest>& maps) {
    write_count(w, maps.size());
    for (const MapDigest& map : maps) write_map(w, map);
}

void write_commit_needed(RecordWriter& fields, const BackupOutcome& outcome) {
    const BackupCommit& c = *outcome.commit;
    fields.field(tag_start, [&](ByteWriter& w) {
        w.write(c.start_lsn);
        w.write(c.start_timeline);
        w.write(c.checkpoint_lsn);
        w.write(c.redo_lsn);
    });
    fields.field(tag_stop, [&](ByteWriter& w) {
        w.write(c.stop_lsn);
        w.write(c.stop_timeline);
    });
    fields.field(tag_format, [&](ByteWriter& w) { write_format(w, c.format); });
    fields.field(tag_index, [&](ByteWriter& w) { write_maps(w, outcome.index); });
    fields.field(tag_usage, [&](ByteWriter& w) { write_map(w, c.usage); });
    fields.field(tag_mode, [&](ByteWriter& w) {
        w.write(static_cast<std::uint8_t>(c.mode));
        w.write(static_cast<std::uint8_t>(c.is_from_standby ? flag_from_standby : 0));
    });
    fields.field(tag_label_file, [&](ByteWriter& w) { w.write_bytes(as_bytes(c.backup_label)); });
    fields.field(tag_tablespace_map,
                 [&](ByteWriter& w) { w.write_bytes(as_bytes(c.tablespace_map)); });
    fields.field(tag_control_file, [&](ByteWriter& w) { w.write_bytes(c.control_file); });
    fields.field(tag_directory_mode, [&](ByteWriter& w) { w.write(c.directory_mode); });
}

void write_commit_told(RecordWriter& fields, const BackupCommit& c) {
    fields.field(tag_tablespaces, [&](ByteWriter& w) { write_tablespaces(w, c.tablespaces); });
    fields.field(tag_times, [&](ByteWriter& w) {
        w.write(static_cast<std::uint64_t>(c.began));
        w.write(static_cast<std::uint64_t>(c.ended));
    });
    fields.field(tag_counts, [&](ByteWriter& w) {
        for (const std::uint64_t count :
             {c.counts.files, c.counts.plain_bytes, c.counts.stored_bytes, c.counts.read_bytes,
              c.counts.referenced_pages})
            w.write(count);
    });
    fields.field(tag_damage, [&](ByteWriter& w) { write_damage(w, c.damaged_pages); });
    fields.field(tag_label, [&](ByteWriter& w) { w.write_text(c.label); });
    if (c.parent) fields.field(tag_parent, [&](ByteWriter& w) { write_id(w, *c.parent); });
    fields.field(tag_owners, [&](ByteWriter& w) { write_ids(w, c.owners); });
}

/// False for a tag that is not known.
bool read_commit_needed(std::uint16_t tag, ByteReader& field, BackupCommit& c) {
    switch (tag) {
        case tag_start:
            c.start_lsn = field.read<std::uint64_t>();
            c.start_timeline = field.read<std::uint32_t>();
            c.checkpoint_lsn = field.read<std::uint64_t>();
            c.redo_lsn = field.read<std::uint64_t>();
            return true;
        case tag_stop:
            c.stop_lsn = field.read<std::uint64_t>();
            c.stop_timeline = field.read<std::uint32_t>();
            return true;
        case tag_format: c.format = read_format(field); return true;
        case tag_usage: c.usage = read_map(field); return true;
        case tag_mode:
            c.mode = static_cast<BackupMode>(field.read<std::uint8_t>());
            c.is_from_standby = (field.read<std::uint8_t>() & flag_from_standby) != 0;
            return true;
        case tag_label_file: c.backup_label = read_rest(field); return true;
        case tag_tablespace_map: c.tablespace_map = read_rest(field); return true;
        case tag_control_file:
            c.control_file = to_bytes(field.read_bytes(field.remaining()));
            return true;
        case tag_directory_mode: c.directory_mode = field.read<std::uint32_t>(); return true;
        default: return false;
    }
}

bool read_commit_told(std::uint16_t tag, ByteReader& field, BackupCommit& c) {
    switch (tag) {
        case tag_tablespaces: c.tablespaces = read_tablespaces(field); return true;
        case tag_times:
            c.began = static_cast<std::int64_t>(field.read<std::uint64_t>());
            c.ended = static_cast<std::int64_t>(field.read<std::uint64_t>());
            return true;
        case tag_counts:
            for (std::uint64_t* count :
                 {&c.counts.files, &c.counts.plain_bytes, &c.counts.stored_bytes,
                  &c.counts.read_bytes, &c.counts.referenced_pages})
                *count = field.read<std::uint64_t>();
            return true;
        case tag_damage: c.damaged_pages = read_damage(field); return true;
        case tag_label: c.label = field.read_text(); return true;
        case tag_parent: c.parent = read_id(field); return true;
        case tag_owners: c.owners = read_ids(field); return true;
        default: return false;
    }
}

void require_sound(const BackupCommit& c, const RecordReader& record) {
    if (c.mode < BackupMode::direct || c.mode > BackupMode::dump) record.fail("mode");
    if (c.format.page_size < 512 || c.format.page_size > 65'536 || c.format.pages_per_file == 0)
        record.fail("size of pages");
    if (c.control_file.size() > 8192) record.fail("size of pg_control");
    if (c.directory_mode > 0777) record.fail("mode of the data directory");
    if (!are_valid(c.owners) || (c.parent && !c.parent->is_valid())) record.fail("id of a backup");
    for (const DamagedPage& page : c.damaged_pages)
        if (page.reason < DamageReason::checksum || page.reason > DamageReason::unreadable)
            record.fail("reason of a damaged page");
}

}  // namespace

std::string_view to_string(BackupMode mode) {
    switch (mode) {
        case BackupMode::direct: return "direct";
        case BackupMode::protocol: return "protocol";
        case BackupMode::dump: return "dump";
    }
    return "unknown";
}

std::string_view to_string(DamageReason reason) {
    switch (reason) {
        case DamageReason::checksum: return "its checksum is wrong";
        case DamageReason::unknown: return "its checksum is wrong, and no WAL could be looked into";
        case DamageReason::unreadable: return "it cannot be read";
    }
    return "unknown";
}

Bytes encode_intent(const BackupIntent& intent) {
    Bytes out;
    RecordWriter fields(out, record_version);
    fields.field(must | 1, [&](ByteWriter& w) { write_id(w, intent.id); });
    fields.field(must | 2, [&](ByteWriter& w) { w.write(intent.system_identifier); });
    fields.field(must | 3, [&](ByteWriter& w) {
        w.write(intent.start_lsn);
        w.write(intent.start_timeline);
    });
    fields.field(must | 4, [&](ByteWriter& w) { write_ids(w, intent.parents); });
    fields.field(5, [&](ByteWriter& w) { write_writer(w, intent.writer); });
    fields.field(6, [&](ByteWriter& w) { w.write_text(intent.label); });
    fields.field(7, [&](ByteWriter& w) { w.write_text(intent.pgdata); });
    fields.field(8, [&](ByteWriter& w) { w.write(static_cast<std::uint8_t>(intent.mode)); });
    return out;
}

BackupIntent decode_intent(ByteView bytes) {
    RecordReader record(bytes, record_version, "intent of a backup");
    BackupIntent intent;
    unsigned required = 0;
    record.read_all([&](std::uint16_t tag, ByteReader& field) {
        required += (tag & must) != 0 ? 1 : 0;
        switch (tag) {
            case must | 1: intent.id = read_id(field); return true;
            case must | 2: intent.system_identifier = field.read<std::uint64_t>(); return true;
            case must | 3:
                intent.start_lsn = field.read<std::uint64_t>();
                intent.start_timeline = field.read<std::uint32_t>();
                return true;
            case must | 4: intent.parents = read_ids(field); return true;
            case 5: intent.writer = read_writer(field); return true;
            case 6: intent.label = field.read_text(); return true;
            case 7: intent.pgdata = field.read_text(); return true;
            case 8: intent.mode = static_cast<BackupMode>(field.read<std::uint8_t>()); return true;
            default: return false;
        }
    });
    if (required != 4) record.fail("a required field is missing");
    if (!intent.id.is_valid() || !are_valid(intent.parents)) record.fail("id of a backup");
    if (intent.mode < BackupMode::direct || intent.mode > BackupMode::dump) record.fail("mode");
    return intent;
}

Bytes encode_outcome(const BackupOutcome& outcome) {
    Bytes out;
    RecordWriter fields(out, record_version);
    fields.field(tag_id, [&](ByteWriter& w) { write_id(w, outcome.id); });
    fields.field(tag_system, [&](ByteWriter& w) { w.write(outcome.system_identifier); });
    fields.field(tag_verdict, [&](ByteWriter& w) {
        w.write(static_cast<std::uint8_t>(outcome.commit ? Verdict::commit : Verdict::abort));
    });
    if (!outcome.commit)
        fields.field(tag_reason, [&](ByteWriter& w) { w.write_text(outcome.abort_reason); });
    fields.field(tag_writer, [&](ByteWriter& w) { write_writer(w, outcome.writer); });
    if (outcome.commit) {
        write_commit_needed(fields, outcome);
        write_commit_told(fields, *outcome.commit);
    } else {
        fields.field(tag_index, [&](ByteWriter& w) { write_maps(w, outcome.index); });
    }
    return out;
}

BackupOutcome decode_outcome(ByteView bytes) {
    RecordReader record(bytes, record_version, "outcome of a backup");
    BackupOutcome outcome;
    BackupCommit commit;
    auto verdict = Verdict{};
    unsigned required = 0;
    unsigned committed = 0;
    record.read_all([&](std::uint16_t tag, ByteReader& field) {
        switch (tag) {
            case tag_id: outcome.id = read_id(field); return ++required != 0;
            case tag_system:
                outcome.system_identifier = field.read<std::uint64_t>();
                return ++required != 0;
            case tag_verdict:
                verdict = static_cast<Verdict>(field.read<std::uint8_t>());
                return ++required != 0;
            case tag_reason: outcome.abort_reason = field.read_text(); return true;
            case tag_writer: outcome.writer = read_writer(field); return true;
            case tag_index:
                outcome.index.resize(read_count(field, map_digest_size));
                for (MapDigest& map : outcome.index) map = read_map(field);
                return ++committed != 0;
            default: break;
        }
        if (read_commit_needed(tag, field, commit)) return ++committed != 0;
        return read_commit_told(tag, field, commit);
    });
    if (required != 3) record.fail("a required field is missing");
    if (!outcome.id.is_valid()) record.fail("id of a backup");
    if (verdict == Verdict::commit) {
        if (committed != commit_field_count)
            record.fail("a field of a committed backup is missing");
        require_sound(commit, record);
        outcome.commit = std::move(commit);
    } else if (verdict != Verdict::abort || committed > 1) {
        record.fail("verdict");
    }
    return outcome;
}

Bytes encode_tomb(const BackupTomb& tomb) {
    Bytes out;
    RecordWriter fields(out, record_version);
    fields.field(must | 1, [&](ByteWriter& w) { write_id(w, tomb.id); });
    fields.field(5, [&](ByteWriter& w) { write_writer(w, tomb.writer); });
    fields.field(6, [&](ByteWriter& w) { w.write_text(tomb.reason); });
    return out;
}

BackupTomb decode_tomb(ByteView bytes) {
    RecordReader record(bytes, record_version, "tomb of a backup");
    BackupTomb tomb;
    record.read_all([&](std::uint16_t tag, ByteReader& field) {
        switch (tag) {
            case must | 1: tomb.id = read_id(field); return true;
            case 5: tomb.writer = read_writer(field); return true;
            case 6: tomb.reason = field.read_text(); return true;
            default: return false;
        }
    });
    if (!tomb.id.is_valid()) record.fail("id of a backup");
    return tomb;
}

}  // namespace walden::vault
