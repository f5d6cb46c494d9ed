// The documents that S3 answers with. Elements that are not known are passed over; what a document
// may not be is refused by storage/http/xml.h.
#pragma once

#include "storage/http/xml.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::storage::s3 {

/// <Error>. Fields that are not given are empty: radosgw leaves Message so.
struct ErrorDocument {
    std::string code;
    std::string message;
    std::string region;     ///< where the bucket is, in answers that say so
    std::string endpoint;   ///< likewise
    std::string condition;  ///< of PreconditionFailed: the header
};

[[nodiscard]] std::optional<ErrorDocument> read_error(ByteView document);

struct ListedObject {
    std::string key;
    std::uint64_t size = 0;
};

/// <ListBucketResult> of ListObjectsV2; keys decoded if the document says that they are encoded.
struct ListPage {
    std::vector<ListedObject> objects;
    bool is_truncated = false;
    std::string next_token;  ///< not empty if truncated
};

[[nodiscard]] std::optional<ListPage> read_list_page(ByteView document);

/// <DeleteResult>: the keys that are still there.
struct DeleteFailure {
    std::string key;
    std::string code;
    std::string message;
};

[[nodiscard]] std::optional<std::vector<DeleteFailure>> read_delete_result(ByteView document);

/// The upload id in <InitiateMultipartUploadResult>; never empty.
[[nodiscard]] std::optional<std::string> read_upload_id(ByteView document);

/// What a store says that it made of the parts; empty what it does not tell.
struct CompletedUpload {
    std::string crc32c;  ///< base64, of the whole object; "...-3" is made of checksums of parts
    std::string crc64nvme;
};

/// A <CompleteMultipartUploadResult>, whole: status 200 is sent before the work is done and proves
/// nothing. The ETag in it does not either: radosgw 16.2 leaves it empty.
[[nodiscard]] std::optional<CompletedUpload> read_completion(ByteView document);

struct UnfinishedUpload {
    std::string key;
    std::string upload_id;
    std::string initiated;  ///< "2026-11-22T14:32:00.000Z", as the store wrote it
};

/// <ListMultipartUploadsResult>.
struct UploadPage {
    std::vector<UnfinishedUpload> uploads;
    bool is_truncated = false;
    std::string next_key_marker;
    std::string next_upload_id_marker;
};

[[nodiscard]] std::optional<UploadPage> read_upload_page(ByteView document);

struct UploadedPart {
    std::uint32_t number = 0;
    std::uint64_t size = 0;
    std::string etag;
};

/// <ListPartsResult>.
struct PartPage {
    std::vector<UploadedPart> parts;
    bool is_truncated = false;
    std::uint32_t next_part_number_marker = 0;
};

[[nodiscard]] std::optional<PartPage> read_part_page(ByteView document);

/// Temporary credentials in <AssumeRoleWithWebIdentityResponse>; the caller makes secrets of them.
struct AssumedRole {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;
    std::string expiration;
};

[[nodiscard]] std::optional<AssumedRole> read_assumed_role(ByteView document);

}  // namespace walden::storage::s3
