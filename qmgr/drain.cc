// Manager, its end: a reload has begun another qmgr, or the mail system stops. What is under way
// goes on; every other message is let go of, so that the successor need not wait for its lock.
#include "qmgr/manager.h"
#include "qmgr/routes.h"

namespace postern::qmgr {

void Manager::drain() {
    draining_ = true;
    run_timer_.stop();
    incoming_timer_.stop();
    rescan_timer_.stop();
    bouncer_.drop_notes();
    std::vector<MessageKey> all;
    for (const auto& [key, message] : messages_) all.push_back(key);
    for (const MessageKey key : all) let_go_if_idle(key);
}

// To be called whenever something that was under way has ended.
void Manager::let_go_if_idle(MessageKey key) {
    Message* message = draining_ ? find(key) : nullptr;
    if (message != nullptr && message->is_idle()) let_go(*message);
}

// An order that was said to be carried out is; and a message that has been tried waits for its
// time. What the scheduler has of it nobody asks for any more: to look for that would be a look at
// all of the queue for each message.
void Manager::let_go(Message& message) {
    routes_.erase(message.key);
    if (message.fate == Message::Fate::remove) return finish(message);
    if (message.has_order() || message.pending == 0) return put_to_rest(message);
    store_.abandon(message.file);
    erase(message);
}

}  // namespace postern::qmgr
