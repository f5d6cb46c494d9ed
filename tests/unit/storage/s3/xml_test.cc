#include "base/format.h"
#include "storage/s3/s3_documents.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;

namespace {

std::string nested(std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "<a>";
    for (std::size_t i = 0; i < depth; ++i) text += "</a>";
    return text;
}

}  // namespace

TEST_CASE("an error document is read, with an empty message as radosgw writes it", "[s3][xml]") {
    const auto error = read_error(as_bytes(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code>"
        "<Message></Message><BucketName>b</BucketName><RequestId>tx0</RequestId></Error>"));
    REQUIRE(error);
    CHECK(error->code == "NoSuchKey");
    CHECK(error->message.empty());
    const auto redirect =
        read_error(as_bytes("<Error><Code>PermanentRedirect</Code><Message>use "
                            "&lt;it&gt;</Message><Endpoint>b.s3-eu-west-"
                            "1.amazonaws.com</Endpoint><Region>eu-west-1</Region></Error>"));
    REQUIRE(redirect);
    CHECK(redirect->message == "use <it>");
    CHECK(redirect->region == "eu-west-1");
    CHECK(read_error(as_bytes("<ErrorResponse><Error><Code>ExpiredToken</Code></Error>"
                              "</ErrorResponse>"))
              ->code == "ExpiredToken");
    CHECK_FALSE(read_error(as_bytes("<html><body>404</body></html>")));
    CHECK_FALSE(read_error({}));
}

TEST_CASE("a page of a listing is read whole or not at all", "[s3][xml]") {
    const std::string head =
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
        "<EncodingType>url</EncodingType>";
    const std::string object =
        "<Contents>\n <Key>a%2Fb+c%25</Key>\n "
        "<Size>123</Size><ETag>&quot;x&quot;</ETag></Contents>";
    const auto page =
        read_list_page(as_bytes(head + object +
                                "<IsTruncated>true</IsTruncated><NextContinuationToken>t=/+"
                                "</NextContinuationToken></ListBucketResult>"));
    REQUIRE(page);
    REQUIRE(page->objects.size() == 1);
    CHECK(page->objects[0].key == "a/b c%");
    CHECK(page->objects[0].size == 123);
    CHECK(page->is_truncated);
    CHECK(page->next_token == "t=/+");

    for (const char* rest :
         {"</ListBucketResult>", "<IsTruncated>true</IsTruncated></ListBucketResult>",
          "<IsTruncated>maybe</IsTruncated></ListBucketResult>",
          "<Contents><Key>a</Key></Contents><IsTruncated>false</IsTruncated></ListBucketResult>",
          "<Contents><Key>a</Key><Size>-1</Size></Contents><IsTruncated>false</IsTruncated>"
          "</ListBucketResult>",
          "<Contents><Key>a%2</Key><Size>1</Size></Contents><IsTruncated>false</IsTruncated>"
          "</ListBucketResult>",
          "<IsTruncated>false</IsTruncated>"}) {
        INFO(rest);
        CHECK_FALSE(read_list_page(as_bytes(head + rest)));
    }
    CHECK(read_list_page(as_bytes(head + "<IsTruncated>false</IsTruncated></ListBucketResult>"))
              ->objects.empty());
    // Without the word "url" a percent sign is one.
    CHECK(read_list_page(as_bytes("<ListBucketResult><Contents><Key>a%2Fb</Key><Size>1</Size>"
                                  "</Contents><IsTruncated>false</IsTruncated></ListBucketResult>"))
              ->objects[0]
              .key == "a%2Fb");
}

TEST_CASE("a completion is proven by its document alone (fault 5)", "[s3][xml]") {
    CHECK(
        read_completion(as_bytes("<CompleteMultipartUploadResult><Location>l</Location><Key>k</Key>"
                                 "<ETag>\"abc-2\"</ETag></CompleteMultipartUploadResult>")));
    CHECK(
        read_completion(as_bytes("<CompleteMultipartUploadResult><Key>k</Key><ETag></ETag>"
                                 "</CompleteMultipartUploadResult>")));
    CHECK_FALSE(read_completion(as_bytes("<Error><Code>InternalError</Code></Error>")));
    // As radosgw 16.2 answers, and with the white space that keeps a connection alive.
    CHECK(
        read_completion(as_bytes(" \n<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult>"
                                 "<ETag></ETag></CompleteMultipartUploadResult>")));
    CHECK_FALSE(read_completion(as_bytes("<CompleteMultipartUploadResult><ETag>\"abc")));
    CHECK_FALSE(read_completion({}));
}

TEST_CASE("a completion may tell the checksum of the whole", "[s3][xml]") {
    const auto told = read_completion(as_bytes(
        "<CompleteMultipartUploadResult><ETag>e</ETag><ChecksumCRC32C>yZRlqg==</ChecksumCRC32C>"
        "<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"));
    REQUIRE(told);
    CHECK(told->crc32c == "yZRlqg==");
    CHECK(told->crc64nvme.empty());
}

TEST_CASE("the documents of multipart uploads and deletions are read", "[s3][xml]") {
    CHECK(read_upload_id(as_bytes("<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                                  "</InitiateMultipartUploadResult>")) == "2~x");
    CHECK_FALSE(
        read_upload_id(as_bytes("<InitiateMultipartUploadResult><UploadId></UploadId>"
                                "</InitiateMultipartUploadResult>")));
    const auto uploads = read_upload_page(as_bytes(
        "<ListMultipartUploadsResult><NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>u2"
        "</NextUploadIdMarker><IsTruncated>true</IsTruncated><Upload><Key>k1</Key><UploadId>u1"
        "</UploadId><Initiated>2026-11-22T10:00:00.000Z</Initiated></Upload>"
        "</ListMultipartUploadsResult>"));
    REQUIRE(uploads);
    CHECK(uploads->uploads.at(0).key == "k1");
    CHECK(uploads->uploads.at(0).initiated == "2026-11-22T10:00:00.000Z");
    CHECK(uploads->next_upload_id_marker == "u2");
    const auto parts = read_part_page(as_bytes(
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>5"
        "</Size><ETag>&quot;e&quot;</ETag></Part></ListPartsResult>"));
    REQUIRE(parts);
    CHECK(parts->parts.at(0).etag == "e");
    const auto failures = read_delete_result(as_bytes(
        "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied"
        "</Code><Message>no</Message></Error></DeleteResult>"));
    REQUIRE(failures);
    REQUIRE(failures->size() == 1);
    CHECK(failures->at(0).code == "AccessDenied");
    CHECK_FALSE(read_delete_result(as_bytes("<Error><Code>SlowDown</Code></Error>")));
}

TEST_CASE("a document beyond its limits is refused", "[s3][xml]") {
    CHECK(parse_xml(as_bytes(nested(xml_depth_max))));
    CHECK_FALSE(parse_xml(as_bytes(nested(xml_depth_max + 1))));
    CHECK_FALSE(parse_xml(as_bytes("<a>" + std::string(xml_size_max, 'x') + "</a>")));
    std::string many = "<r>";
    for (std::size_t i = 0; i < xml_element_count_max; ++i) many += "<a/>";
    CHECK_FALSE(parse_xml(as_bytes(many + "</r>")));
    CHECK_FALSE(parse_xml(as_bytes("<!DOCTYPE a [<!ENTITY x \"yyyy\">]><a>&x;</a>")));
    CHECK_FALSE(parse_xml(as_bytes("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>")));
    CHECK_FALSE(parse_xml(as_bytes("<a>&x;</a>")));
    CHECK_FALSE(parse_xml(as_bytes("<a/><b/>")));
    CHECK(parse_xml(as_bytes("<a>&#65;&amp;</a>"))->text == "A&");
}

TEST_CASE("what is sent in a document is escaped", "[s3][xml]") {
    CHECK(escape_xml("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&apos;");
    CHECK(parse_xml(as_bytes("<a>" + escape_xml("x<y>&\"'") + "</a>"))->text == "x<y>&\"'");
}
