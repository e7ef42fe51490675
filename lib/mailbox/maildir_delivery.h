// Delivers messages into Maildirs, durably and many at once: all are written under tmp/, synced as
// a group, renamed into new/, and each directory is synced once. A file has its group's modes where
// the directories are a group's too (group_fs.h). Used by local (before it reports
// "delivered") and by APPEND and COPY. A message whose result is a value survives a power cut; one
// whose result is an error is either absent or, where only the last sync failed, possibly present.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

// Writes one message file through a buffer and counts its size as it is and with CRLF line ends.
// Content may have LF or CRLF line ends; local delivery writes LF as Unix mail software does.
class MessageWriter {
  public:
    MessageWriter(sys::Fs& fs, int fd) : fs_(&fs), fd_(fd) {}

    Result<void> write(std::string_view bytes);
    Result<void> flush();  // hands the rest of the buffer to the kernel

    std::uint64_t size() const { return size_; }  // bytes written: S= in the name
    std::uint64_t crlf_size() const {
        return crlf_size_;
    }  // with every line end as CRLF: W= in the name

  private:
    sys::Fs* fs_;
    int fd_;
    std::string buffer_;
    std::uint64_t size_ = 0;
    std::uint64_t crlf_size_ = 0;
    char last_ = 0;
};

// One message for one Maildir.
struct Delivery {
    std::string maildir;  // path of the folder that has cur, new and tmp; created (0700) where it
                          // is missing
    std::string stem;     // unique name without sizes, see delivery_stem(); the same stem again
                          // replaces the earlier copy while that is still in new/
    std::function<Result<void>(MessageWriter&)> content;
    std::int64_t date = 0;  // seconds: becomes the file's mtime (INTERNALDATE); 0 leaves it at now
    std::string info;       // ":2,S" or empty
};

// Delivers all. The answer has one entry per delivery: the path under the Maildir ("new/NAME") or
// why not. One message's failure does not touch the others.
std::vector<Result<std::string>> deliver(sys::Fs& fs, std::span<const Delivery> deliveries);

// The two halves of deliver(), for callers that must do something between them (APPEND assigns UIDs
// in one step with the renames). The deliveries must outlive the group.
class DeliveryGroup {
  public:
    DeliveryGroup(sys::Fs& fs, std::span<const Delivery> deliveries);
    // One after the other, where it is not known how many there will be: add() writes the file, and
    // sync() does the rest of prepare().
    explicit DeliveryGroup(sys::Fs& fs) : fs_(&fs) {}
    Result<void> add(const Delivery& delivery);
    void sync();

    void prepare();  // writes and syncs the files under tmp/
    void publish();  // renames what was prepared into new/ and syncs the directories
    // The two halves of publish(), for callers who have something else to sync: one after the
    // other, two syncs are cheaper.
    void publish_names();
    void sync_names();
    void abandon();  // removes what was prepared, or published (best effort)

    // After prepare(), where it succeeded: the name that the message will have in new/.
    std::string_view prepared_name(std::size_t index) const;

    // After prepare(): which failed. After publish(): "new/NAME" for each that is delivered.
    const std::vector<Result<std::string>>& results() const& { return results_; }
    std::vector<Result<std::string>> results() && { return std::move(results_); }

  private:
    struct Pending {
        const Delivery* delivery;
        Fd file;
        std::string temporary;   // path under tmp/
        std::string final_name;  // "new/NAME", known once the size is
    };
    template <class Step>
    void each(Step step);
    std::string published_path(const Pending& p) const;
    void fail(std::size_t index, Error error);
    Result<void> write_temporary(Pending& p);
    Result<void> rename_into_new(const Pending& p);

    sys::Fs* fs_;
    std::vector<Pending> pending_;
    std::vector<Result<std::string>> results_;
};

// A stem for queued mail: the same for the same queue id and recipient, so that a delivery repeated
// after a crash does not add a second copy. `arrival` is the message's time of arrival.
std::string delivery_stem(WallTime arrival, std::string_view queue_id, std::string_view recipient,
                          std::string_view host);
// A stem that was never used before.
std::string unique_stem(const Clock& clock, Random& random, std::string_view host);

// Makes the name at `path` durable. Where its directory may not be read (that of many users'
// mailboxes), the syncs of what is in it have to do.
Result<void> sync_name(sys::Fs& fs, const std::string& path);

// Makes path/{,cur,new,tmp} where missing, and missing parents, mode 0700. Durable.
Result<void> make_maildir(sys::Fs& fs, const std::string& path);
// Makes what is missing in the directory at path. Errc::not_found: there is none. Durable.
Result<void> complete_maildir(sys::Fs& fs, const std::string& path);

}  // namespace postern::mailbox
