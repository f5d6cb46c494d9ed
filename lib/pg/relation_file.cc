#include "pg/relation_file.h"

#include "base/format.h"
#include "wal/number_text.h"

namespace walden::pg {

namespace {

/// Takes what stands before the next '/' off `path`, and the '/'.
std::string_view take_part(std::string_view& path) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    return part;
}

/// A number as PostgreSQL prints it: no leading zeros. 0 is valid only as such.
std::optional<std::uint32_t> parse_plain_number(std::string_view text) {
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return wal::parse_number(text, 10);
}

std::optional<Fork> parse_fork(std::string_view name) {
    if (name == "fsm") return Fork::fsm;
    if (name == "vm") return Fork::vm;
    if (name == "init") return Fork::init;
    return std::nullopt;
}

constexpr std::string_view suffix_of(Fork fork) {
    switch (fork) {
        case Fork::main: return "";
        case Fork::fsm: return "_fsm";
        case Fork::vm: return "_vm";
        case Fork::init: return "_init";
    }
    return "";
}

}  // namespace

std::optional<RelationFile> parse_relation_name(std::string_view name) {
    RelationFile file;
    if (const auto dot = name.find('.'); dot != std::string_view::npos) {
        const auto segment = parse_plain_number(name.substr(dot + 1));
        if (!segment || *segment == 0) return std::nullopt;
        file.segment = *segment;
        name = name.substr(0, dot);
    }
    if (const auto mark = name.find('_'); mark != std::string_view::npos) {
        const auto fork = parse_fork(name.substr(mark + 1));
        if (!fork) return std::nullopt;
        file.fork = *fork;
        name = name.substr(0, mark);
    }
    const auto relation = parse_plain_number(name);
    if (!relation || *relation == 0) return std::nullopt;
    file.relation = *relation;
    return file;
}

std::optional<RelationFile> parse_relation_path(std::string_view path) {
    const std::string_view top = take_part(path);
    std::uint32_t tablespace = global_tablespace;
    std::uint32_t database = 0;
    if (top == "base") {
        tablespace = default_tablespace;
    } else if (top == "pg_tblspc") {
        const auto oid = parse_plain_number(take_part(path));
        if (!oid || !take_part(path).starts_with("PG_")) return std::nullopt;
        tablespace = *oid;
    } else if (top != "global") {
        return std::nullopt;
    }
    if (top != "global") {
        const auto oid = parse_plain_number(take_part(path));
        if (!oid) return std::nullopt;
        database = *oid;
    }
    auto file = parse_relation_name(path);
    if (!file) return std::nullopt;
    file->tablespace = tablespace;
    file->database = database;
    return file;
}

std::string to_path(const RelationFile& file, std::string_view version_directory) {
    std::string path;
    if (file.tablespace == global_tablespace)
        path = "global/";
    else if (file.tablespace == default_tablespace)
        path = format("base/{}/", file.database);
    else
        path = format("pg_tblspc/{}/{}/{}/", file.tablespace, version_directory, file.database);
    path += format("{}{}", file.relation, suffix_of(file.fork));
    if (file.segment != 0) path += format(".{}", file.segment);
    return path;
}

std::string tablespace_version_directory(int major_version, std::uint32_t catalog_version) {
    return format("PG_{}_{}", major_version, catalog_version);
}

bool is_temporary_relation(std::string_view name) {
    if (!name.starts_with('t')) return false;
    const auto mark = name.find('_');
    if (mark == std::string_view::npos || !wal::parse_number(name.substr(1, mark - 1), 10))
        return false;
    return parse_relation_name(name.substr(mark + 1)).has_value();
}

}  // namespace walden::pg
