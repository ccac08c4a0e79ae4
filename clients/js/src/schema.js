// Made from docs/openapi.json by scripts/schema.mjs: change the API, not this file.

/**
 * A page of a list.
 *
 * @template T
 * @typedef {object} Page
 * @property {Array<T>} items The rows.
 * @property {string | null} [next_cursor] Where the next page begins; `null` on the last one.
 */

/**
 * What changed.
 *
 * @typedef {"imported" | "suggested" | "approving" | "reopened" | "approved" | "rejected" | "stopped" | "withdrawn" | "conflicted" | "reverted" | "role_changed" | "banned" | "unbanned"} Action
 */

/**
 * Who made a change of state.
 *
 * @typedef {"member" | "rule" | "system"} Actor
 */

/**
 * Whether the program is alive.
 *
 * @typedef {object} Alive
 * @property {Health} status Always `up`: who answers is alive.
 */

/**
 * How much the library is used.
 *
 * @typedef {object} AnalyticsView
 * @property {number} members How many members there are.
 * @property {number} resources How many live resources there are.
 * @property {Record<string, number>} suggestions How many suggestions there are in each status.
 * @property {Array<DayView>} days Each day, the last one first.
 * @property {Array<UsedResource>} top The resources used most in these days.
 */

/**
 * Names an API key.
 *
 * @typedef {string} ApiKeyId
 */

/**
 * A program's way to sign in.
 *
 * @typedef {object} ApiKeyView
 * @property {ApiKeyId} id Names the key.
 * @property {MemberId} member_id Whom it signs in.
 * @property {string} name What the member calls it.
 * @property {Array<Scope>} scopes What it may do.
 * @property {Time} created_at When it was made.
 * @property {Time | null} [last_used_at] When it was last used, to the minute; `null` when never.
 * @property {Time | null} [revoked_at] When it was taken back; `null` while it is valid.
 */

/**
 * Names a category.
 *
 * @typedef {string} CategoryId
 */

/**
 * A category with what lies below it.
 *
 * @typedef {object} CategoryNode
 * @property {CategoryId} id Names the category.
 * @property {ListId} list_id The list whose heading it is.
 * @property {string} slug Its word in URLs.
 * @property {string} title The heading's text.
 * @property {number} position Its place in the list, counted over the whole tree from the top.
 * @property {number} resources How many live resources are placed in it or further down, each counted once.
 * @property {Array<CategoryNode>} children The categories below it, in their order.
 */

/**
 * A category as a resource names it.
 *
 * @typedef {object} CategoryRef
 * @property {CategoryId} id Names the category.
 * @property {string} slug Its word in URLs.
 * @property {string} title The heading's text.
 * @property {Array<string>} path The headings from the top of the list down to this one.
 */

/**
 * The fields that a suggestion changes; an absent one stays as it is.
 *
 * @typedef {object} Changes
 * @property {string | null} [url] The resource's address.
 * @property {string | null} [title] Its name.
 * @property {string | null} [description] What it is, in inline Markdown.
 * @property {Array<CategoryId> | null} [category_ids] Where it is placed.
 * @property {Array<string> | null} [tags] Its tags.
 */

/**
 * What to clear away.
 *
 * @typedef {object} Cleaning
 * @property {FinishedWord | null} [state] `completed` or `failed`; completed without it.
 * @property {number | null} [older_than_seconds] Only what finished longer ago than so many seconds; everything without it.
 */

/**
 * How closely.
 *
 * @typedef {object} Closeness
 * @property {WatchLevel} [level] How closely; `watching` without it.
 */

/**
 * What changes; what is left out stays.
 *
 * @typedef {object} CollectionChange
 * @property {string | null} [title] Its name.
 * @property {string | null} [description] What it is for, in Markdown.
 * @property {boolean | null} [public] Whether others see it.
 */

/**
 * Names a collection.
 *
 * @typedef {string} CollectionId
 */

/**
 * A collection with its first resources.
 *
 * @typedef {CollectionView & { resources: Page<ResourceView> }} CollectionPage
 */

/**
 * A member's own ordered selection.
 *
 * @typedef {object} CollectionView
 * @property {CollectionId} id Names the collection.
 * @property {Person} owner Whose it is.
 * @property {string} title Its name.
 * @property {string} description What it is for, in Markdown.
 * @property {boolean} public Whether others see it.
 * @property {number} items How many live resources are in it.
 * @property {Time} created_at When it was made.
 * @property {Time} changed_at When it, or what is in it, last changed.
 */

/**
 * Names a comment.
 *
 * @typedef {string} CommentId
 */

/**
 * What a member wrote under a suggestion.
 *
 * @typedef {object} CommentView
 * @property {CommentId} id Names the comment.
 * @property {Person} author Who wrote it.
 * @property {string} body The words, in Markdown.
 * @property {Time} created_at When it was written.
 */

/**
 * One thing that a rule asks.
 *
 * @typedef {object} Condition
 * @property {string} name Which: `score`, `share`, `confidence`, `min_open`, `no_objection`, `not_duplicate`, `several_networks`.
 * @property {boolean} met Whether it holds.
 * @property {number | null} [needed] What is needed; seconds for `min_open`, a share for `share` and `confidence`.
 * @property {number | null} [actual] What there is, in the same unit.
 */

/**
 * Who somebody says they are.
 *
 * @typedef {object} Credentials
 * @property {string} login The username or the mail address.
 * @property {string} password The password.
 */

/**
 * What was counted on one day.
 *
 * @typedef {object} DayView
 * @property {string} date The day, in UTC.
 * @property {number} views Visits of resources' pages.
 * @property {number} saves Times a resource was put into a collection.
 * @property {number} votes Votes on suggestions about resources.
 */

/**
 * When a member wants a mail.
 *
 * @typedef {"off" | "instant" | "digest"} EmailWish
 */

/**
 * What is wrong with one field.
 *
 * @typedef {object} FieldError
 * @property {string} field The field's name, with dots where it lies deeper.
 * @property {string} detail What is allowed, as a sentence.
 */

/**
 * A format that lists come in.
 *
 * @typedef {"markdown" | "netscape" | "json" | "csv"} FileFormat
 */

/**
 * How a job ended.
 *
 * @typedef {"completed" | "failed"} FinishedWord
 */

/**
 * Why, if one wants to say it.
 *
 * @typedef {object} Grounds
 * @property {string | null} [reason] Why, for the public log.
 */

/**
 * How a part of the site is doing.
 *
 * @typedef {"up" | "degraded" | "down"} Health
 */

/**
 * What made a version of a resource.
 *
 * @typedef {object} HistoryCause
 * @property {LogId} log_id The entry of the public log.
 * @property {Actor} actor Who, in kind.
 * @property {string | null} [username] The member's name, when the actor is one.
 * @property {Action} action What changed.
 * @property {SuggestionId | null} [suggestion_id] The suggestion that was applied.
 * @property {Record<string, any> | null} [rule] The rule that was met, with what it asked.
 * @property {Record<string, any> | null} [standing] The standing at that moment.
 * @property {string | null} [reason] Why, in somebody's words.
 */

/**
 * One version of a resource.
 *
 * @typedef {object} HistoryEntry
 * @property {number} version Counts from 1.
 * @property {Time} at When it came to be.
 * @property {ResourceState} state What the resource was then.
 * @property {HistoryCause | null} [cause] What made it so; `null` for what came before the log.
 */

/**
 * What an import did, or would do.
 *
 * @typedef {object} ImportReport
 * @property {string} list The list's slug.
 * @property {string} format The format it was read as: `markdown`, `netscape`, `json`, `csv`.
 * @property {Array<Record<string, any>>} entries The entries read: `{line, title, url, section, description, attributes}`.
 * @property {number} added Resources that are new on the shelf.
 * @property {number} placed Resources of the shelf that got one more place.
 * @property {number} unchanged Entries that were there already.
 * @property {number} changed Resources that got other words or another address, as the newer file has them.
 * @property {number} removed Places that the newer file no longer has.
 * @property {Array<Record<string, any>>} skipped What is no entry, `{line, reason}`.
 * @property {Array<Record<string, any>>} warnings What is odd, `{line, what}`; line 0 is about the whole.
 */

/**
 * Why a member gets a notice.
 *
 * @typedef {"account" | "author" | "voter" | "commenter" | "watcher"} Interest
 */

/**
 * How many jobs it was.
 *
 * @typedef {object} JobCount
 * @property {number} jobs How many.
 */

/**
 * One job.
 *
 * @typedef {object} JobView
 * @property {string} id Names the job.
 * @property {string} name Its kind.
 * @property {StateWord} state Where it is in its life.
 * @property {Record<string, any>} payload What it works on.
 * @property {number} attempt Attempts begun so far.
 * @property {number} attempts Attempts it has in all.
 * @property {Time} created_at When it was inserted.
 * @property {Time} due_at When it was, is or will be due.
 * @property {Time | null} [begun_at] When its last attempt began.
 * @property {Time | null} [finished_at] When it was completed or failed.
 * @property {string | null} [error] Why its last failed attempt failed.
 * @property {number | null} [progress] How far the work is, in percent.
 * @property {Array<string>} log The newest lines of its log.
 */

/**
 * An imported document, or the site's own list.
 *
 * @typedef {object} List
 * @property {ListId} id Names the list.
 * @property {string} slug Its word in URLs and on the command line.
 * @property {string} title What people call it.
 * @property {number} version Grows by one with every change of its document.
 * @property {Time} created_at When it was first imported.
 * @property {Time} changed_at When its document last changed.
 */

/**
 * Names an imported list.
 *
 * @typedef {string} ListId
 */

/**
 * One change of state, as everybody may read it.
 *
 * @typedef {object} LogEntry
 * @property {LogId} id Names the entry; entries sort by it.
 * @property {Time} at When.
 * @property {Actor} actor Who, in kind.
 * @property {MemberId | null} [member_id] Which member, when the actor is one.
 * @property {string | null} [username] The member's name.
 * @property {Action} action What changed.
 * @property {SuggestionId | null} [suggestion_id] Which suggestion.
 * @property {ResourceId | null} [resource_id] Which resource.
 * @property {Record<string, any> | null} [rule] The rule that was met, with what it asked.
 * @property {Record<string, any> | null} [standing] The standing at that moment.
 * @property {Record<string, any> | null} [before] What it was before.
 * @property {Record<string, any> | null} [after] What it is after.
 * @property {string | null} [reason] Why, in somebody's words.
 */

/**
 * Names an entry of the public log.
 *
 * @typedef {string} LogId
 */

/**
 * A person with an account.
 *
 * @typedef {object} Member
 * @property {MemberId} id Names the member.
 * @property {string} username The name as the member writes it; unique without regard to case.
 * @property {string} email The mail address as the member writes it.
 * @property {string} display_name The name that others read.
 * @property {string} bio What the member says about themselves, in Markdown.
 * @property {Role} role What the member may do.
 * @property {Time} joined_at When the account was made.
 * @property {Time | null} [banned_at] Since when the member is shut out; `null` when not.
 */

/**
 * Names a member.
 *
 * @typedef {string} MemberId
 */

/**
 * One's own vote.
 *
 * @typedef {object} MyVote
 * @property {number | null} [value] `1` in favour, `-1` against, `null` for none.
 */

/**
 * A key to be made.
 *
 * @typedef {object} NewApiKey
 * @property {string} name What one calls it.
 * @property {Array<Scope>} scopes What it may do; a wider scope includes the narrower ones.
 */

/**
 * A collection to be made.
 *
 * @typedef {object} NewCollection
 * @property {string} title Its name.
 * @property {string} [description] What it is for, in Markdown.
 * @property {boolean} [public] Whether others see it.
 */

/**
 * A comment to be written.
 *
 * @typedef {object} NewComment
 * @property {string} body The words, in Markdown.
 */

/**
 * A new key with its token.
 *
 * @typedef {object} NewKey
 * @property {ApiKeyView} key The key.
 * @property {string} token `ups_…`, told now and never again.
 */

/**
 * An account to be made.
 *
 * @typedef {object} NewMember
 * @property {string} username 2 to 32 letters, digits, `_`, `-` or `.`.
 * @property {string} email Where the site may write to.
 * @property {string} password 12 to 128 characters.
 * @property {Role} role What the member may do.
 */

/**
 * What a notice tells.
 *
 * @typedef {"suggested" | "approved" | "rejected" | "stopped" | "withdrawn" | "conflicted" | "reverted" | "commented" | "role_changed" | "security"} NoticeKind
 */

/**
 * What a notice is about.
 *
 * @typedef {object} NoticePayload
 * @property {string} text The same in a sentence.
 * @property {Interest} interest Why the member gets it.
 * @property {LogId | null} [log_id] The entry of the public log, when it has one.
 * @property {Person | null} [actor] Who did it, when it was a member.
 * @property {SuggestionRef | null} [suggestion] Which suggestion.
 * @property {ResourceRef | null} [resource] Which resource.
 * @property {CommentId | null} [comment_id] Which comment.
 * @property {string | null} [reason] Why, in the actor's words.
 */

/**
 * How a member wants to hear of one kind of event.
 *
 * @typedef {object} NoticePreference
 * @property {string} kind The kind of event, as a word.
 * @property {boolean} inbox Whether the inbox gets a notice.
 * @property {EmailWish} email When a mail is sent.
 */

/**
 * One entry in a member's inbox.
 *
 * @typedef {object} NoticeView
 * @property {number} seq Its number in this inbox: one more than that of the notice before it.
 * @property {NoticeKind} kind What happened.
 * @property {NoticePayload} payload What it is about.
 * @property {Time} created_at When it happened.
 * @property {Time | null} [read_at] When the member read it; `null` when not yet.
 */

/**
 * A change of password.
 *
 * @typedef {object} PasswordChange
 * @property {string} current_password The password up to now.
 * @property {string} new_password 12 to 128 characters.
 */

/**
 * A member as others see them in passing.
 *
 * @typedef {object} Person
 * @property {MemberId} id Names the member.
 * @property {string} username The member's name.
 */

/**
 * How one wants to hear of events.
 *
 * @typedef {object} Preferences
 * @property {Array<NoticePreference>} items One wish for each kind of event.
 */

/**
 * What changes; what is left out stays.
 *
 * @typedef {object} ProfileChange
 * @property {string | null} [display_name] The name that others read.
 * @property {string | null} [bio] What one says about oneself, in Markdown.
 */

/**
 * A member as others see them.
 *
 * @typedef {object} ProfileView
 * @property {MemberId} id Names the member.
 * @property {string} username The member's name.
 * @property {string} display_name The name that others read.
 * @property {string} bio What the member says about themselves, in Markdown.
 * @property {Role} role What the member may do.
 * @property {Time} joined_at When the account was made.
 * @property {number} suggestions How many suggestions the member made.
 * @property {number} approved How many of them were approved.
 * @property {number} collections How many public collections the member has.
 */

/**
 * A change to be proposed.
 *
 * @typedef {object} Proposal
 * @property {SuggestionKind} kind What it asks for.
 * @property {ResourceId | null} [resource_id] The resource it is about; left out for an addition.
 * @property {number | null} [base_version] The version of the resource that the member saw; the current one without it.
 * @property {Changes | null} [changes] What it changes; may be left out for a removal.
 * @property {string | null} [reason] Why.
 */

/**
 * A queue.
 *
 * @typedef {"auto-approval" | "notifications" | "analytics" | "email" | "cleanup"} QueueName
 */

/**
 * The numbers of a queue at this moment.
 *
 * @typedef {object} QueueView
 * @property {QueueName} name Names the queue.
 * @property {boolean} is_paused Whether it hands out no jobs.
 * @property {number} waiting Jobs that are due.
 * @property {number} prioritized Jobs that are due, of another priority than normal.
 * @property {number} paused Jobs that are due, but held back because the queue is paused.
 * @property {number} delayed Jobs that are not due yet, or between two attempts.
 * @property {number} active Jobs that run.
 * @property {number} completed Jobs that are done, and still kept.
 * @property {number} failed Jobs that failed, and are still kept.
 * @property {number | null} [oldest_waiting_seconds] For how many seconds the oldest job that is due has been so.
 * @property {number} completed_last_minute Jobs completed within the last minute.
 * @property {number | null} [mean_wait_seconds] How many seconds those waited on average.
 * @property {number | null} [mean_run_seconds] How many seconds those ran on average.
 */

/**
 * How far one has read.
 *
 * @typedef {object} ReadUpTo
 * @property {number} up_to The `seq` of the last notice read.
 */

/**
 * How the site and its parts are doing.
 *
 * @typedef {object} Ready
 * @property {Health} status The site as a whole.
 * @property {ReadyParts} parts Each part.
 */

/**
 * Each part.
 *
 * @typedef {object} ReadyParts
 * @property {Health} database The source of truth; without it the site cannot do anything.
 * @property {Health} queue Background jobs; while degraded, they wait.
 * @property {Health} live Live channels; while degraded, they are fed from the database and up to half a second behind.
 * @property {Health} [redis] Redis, through which processes share; missing where it is not used.
 * @property {Health} [cache] The cache, where Redis is used; while degraded, each process has its own.
 * @property {Health} [bus] Publications, where Redis is used; while degraded, each process hears itself.
 * @property {Health} [tally] Live counts, where Redis is used; while degraded, they are read from the database.
 * @property {Health} [sessions] Sessions, where Redis is used; while degraded, the database is asked, and an end is noticed elsewhere within five seconds.
 * @property {Health} [limits] Rate limits, where Redis is used; while degraded, each process allows its share.
 */

/**
 * A refresh token.
 *
 * @typedef {object} RefreshRequest
 * @property {string} refresh_token The token that came with the last sign-in or refresh.
 */

/**
 * An account to be made.
 *
 * @typedef {object} Registration
 * @property {string} username 2 to 32 letters, digits, `_`, `-` or `.`.
 * @property {string} email Where the site may write to.
 * @property {string} password 12 to 128 characters.
 */

/**
 * Names a resource.
 *
 * @typedef {string} ResourceId
 */

/**
 * A resource, as it is seen beside what concerns it.
 *
 * @typedef {object} ResourceRef
 * @property {ResourceId} id Names the resource.
 * @property {string} title Its name.
 * @property {string} url Its address.
 */

/**
 * The orders in which resources are listed.
 *
 * @typedef {"new" | "popular" | "name"} ResourceSort
 */

/**
 * Everything about a resource that a version of it remembers.
 *
 * @typedef {object} ResourceState
 * @property {string} url Its address, as written.
 * @property {string} title Its name.
 * @property {string} description What it is, in inline Markdown.
 * @property {Array<CategoryId>} category_ids Where it is placed.
 * @property {Array<string>} tags Its tags.
 * @property {ResourceStatus} status Whether it is on the shelf.
 */

/**
 * Whether a resource is on the shelf.
 *
 * @typedef {"live" | "removed"} ResourceStatus
 */

/**
 * A resource, and where it stands on the shelf.
 *
 * @typedef {object} ResourceView
 * @property {ResourceId} id Names the resource.
 * @property {string} url Its address.
 * @property {string} title Its name.
 * @property {string} description What it is, in inline Markdown.
 * @property {Array<CategoryRef>} categories Where it is placed, in the order of the tree.
 * @property {Array<string>} tags Its tags, by their words in URLs.
 * @property {ResourceStatus} status Whether it is on the shelf.
 * @property {number} version Grows by one with every change.
 * @property {number} popularity How much it was viewed, saved and voted on of late; no unit.
 * @property {number} open_suggestions How many suggestions about it can be voted on.
 * @property {Person | null} [added_by] Who suggested it; `null` when it was imported.
 * @property {Time} added_at When it came onto the shelf.
 * @property {Time} changed_at When it last changed.
 */

/**
 * A way back.
 *
 * @typedef {object} Reversion
 * @property {number} to_version The version to go back to.
 * @property {string} reason Why, for the public log.
 */

/**
 * What a member may do.
 *
 * @typedef {"member" | "curator" | "admin"} Role
 */

/**
 * What a member may do from now on.
 *
 * @typedef {object} RoleChange
 * @property {Role} role The role.
 */

/**
 * What a program may do with an API key.
 *
 * @typedef {"read" | "write" | "admin"} Scope
 */

/**
 * One sign-in on one device.
 *
 * @typedef {object} SessionView
 * @property {string} id Names the session, to end it.
 * @property {boolean} current Whether it is the one that asks.
 * @property {string | null} [ip] The address it was last refreshed from.
 * @property {string | null} [user_agent] What the browser or program calls itself.
 * @property {Time} created_at When it began.
 * @property {Time} last_seen_at When it was last used, to the quarter of an hour.
 * @property {Time} expires_at When it ends at the latest.
 */

/**
 * The first admin to be.
 *
 * @typedef {object} SetUp
 * @property {string} code The code that the program printed when it started.
 * @property {string} username 2 to 32 letters, digits, `_`, `-` or `.`.
 * @property {string} email Where the site may write to.
 * @property {string} password 12 to 128 characters.
 */

/**
 * A member who has just signed in.
 *
 * @typedef {object} SignedIn
 * @property {Member} member The member.
 * @property {string} access_token To be sent with each request as `Authorization: Bearer …`.
 * @property {string} refresh_token Buys the next pair of tokens, once.
 * @property {Time} access_expires_at When the access token ends.
 * @property {Time} refresh_expires_at When the session ends, however often it is refreshed.
 */

/**
 * The votes of a suggestion, counted.
 *
 * @typedef {object} Standing
 * @property {number} up Votes in favour.
 * @property {number} down Votes against.
 * @property {number} score `up` − `down`.
 * @property {number} version Grows by one with every change of the standing.
 */

/**
 * Where a job is in its life.
 *
 * @typedef {"waiting" | "delayed" | "active" | "completed" | "failed"} StateWord
 */

/**
 * Names a suggestion.
 *
 * @typedef {string} SuggestionId
 */

/**
 * What a suggestion asks for.
 *
 * @typedef {"add" | "edit" | "move" | "remove"} SuggestionKind
 */

/**
 * A suggestion as a notice names it.
 *
 * @typedef {object} SuggestionRef
 * @property {SuggestionId} id Names the suggestion.
 * @property {SuggestionKind} kind What it asks for.
 * @property {string} title The name of the resource it is about.
 */

/**
 * The orders in which suggestions are listed.
 *
 * @typedef {"hot" | "top" | "new" | "controversial"} SuggestionSort
 */

/**
 * Where a suggestion stands.
 *
 * @typedef {"open" | "approving" | "approved" | "rejected" | "withdrawn" | "conflict"} SuggestionStatus
 */

/**
 * A suggestion with everything that a reader wants to know.
 *
 * @typedef {object} SuggestionView
 * @property {SuggestionId} id Names the suggestion.
 * @property {SuggestionKind} kind What it asks for.
 * @property {SuggestionStatus} status Where it stands.
 * @property {Person} author Who proposed it.
 * @property {ResourceId | null} [resource_id] The resource it is about; for an addition, the one it became.
 * @property {ResourceRef | null} [resource] The same resource, as it is now.
 * @property {number | null} [base_version] The version of the resource it is built on.
 * @property {Changes} changes What it changes.
 * @property {Changes} before What those fields held when it was proposed.
 * @property {string} reason Why, in the author's words.
 * @property {string | null} [evidence] What was seen of a dead link.
 * @property {Standing} standing The votes, counted.
 * @property {Verdict} rule What the rule asks, what is met and what is missing.
 * @property {number | null} [my_vote] The reader's own vote: 1, -1, or `null` for none or when not signed in.
 * @property {string | null} [objection] Why a curator objects to approval by rule.
 * @property {Time} opened_at When it was proposed.
 * @property {Time | null} [approving_until] When it will be applied, while `approving`.
 * @property {Time | null} [decided_at] When it was decided.
 * @property {Person | null} [decided_by] Who decided it; `null` when a rule did.
 * @property {string | null} [decision_reason] Why, or what stood in the way.
 */

/**
 * A free label with the number of live resources that carry it.
 *
 * @typedef {object} Tag
 * @property {string} slug Its word in URLs.
 * @property {string} label What people read.
 * @property {number} resources How many live resources carry it.
 */

/**
 * A point in time: microseconds since 1970 in the database, RFC 3339 in JSON.
 *
 * @typedef {string} Time
 */

/**
 * How many notices are not read yet.
 *
 * @typedef {object} Unread
 * @property {number} unread How many.
 */

/**
 * How much a resource was used.
 *
 * @typedef {object} UsedResource
 * @property {ResourceRef} resource The resource.
 * @property {number} views Visits of its page.
 * @property {number} saves Times it was put into a collection.
 * @property {number} votes Votes on suggestions about it.
 */

/**
 * What the rules say of a suggestion, and why.
 *
 * @typedef {object} Verdict
 * @property {string} rule The rule's name: `addition`, `edit`, `move`, `removal` or `dead_link`.
 * @property {boolean} met Whether everything it asks holds now.
 * @property {Array<Condition>} conditions Everything it asks, and whether it holds.
 * @property {Time | null} [met_from] From when it holds if nothing but time is missing.
 * @property {string} summary The same in a sentence: "4 of 5 votes, 80 % in favour, 20 min to go".
 */

/**
 * A vote.
 *
 * @typedef {object} Vote
 * @property {1 | -1} value `1` in favour, `-1` against.
 */

/**
 * The answer to a vote.
 *
 * @typedef {object} VoteView
 * @property {SuggestionId} suggestion_id What was voted on.
 * @property {number} up Votes in favour, right after this one.
 * @property {number} down Votes against, right after this one.
 * @property {number} score `up` − `down`.
 * @property {number} version Grows by one with every change of the standing.
 * @property {number | null} [my_vote] The member's own vote: 1, -1, or `null` for none.
 */

/**
 * Something that a member watches, or wants to hear nothing of.
 *
 * @typedef {object} Watch
 * @property {WatchKind} kind What kind of thing it is.
 * @property {string} target_id Names the thing.
 * @property {WatchLevel} level How closely.
 * @property {Time} created_at Since when.
 */

/**
 * What can be watched.
 *
 * @typedef {"resource" | "category" | "suggestion"} WatchKind
 */

/**
 * How closely a member watches something.
 *
 * @typedef {"muted" | "normal" | "watching"} WatchLevel
 */

/**
 * Whose collections to list.
 *
 * @typedef {"everybody" | "mine"} Whose
 */

/**
 * How one wants to hear of events from now on.
 *
 * @typedef {object} Wishes
 * @property {Array<NoticePreference>} items One wish for each kind of event; kinds that are left out stay as they are.
 */

/**
 * Gives counts by day and the resources used most
 *
 * @typedef {object} GetAdminAnalyticsQuery
 * @property {number} [days] The last so many days, 30 by default.
 */

/**
 * Lists the API keys
 *
 * @typedef {object} GetAdminApiKeysQuery
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Writes a list out
 *
 * @typedef {object} GetAdminExportQuery
 * @property {FileFormat} [format] The file's format; Markdown without it.
 * @property {string} [list] The list's slug; may be left out where there is only one.
 */

/**
 * Brings a list in
 *
 * @typedef {object} PostAdminImportQuery
 * @property {FileFormat} [format] The file's format; guessed without it.
 * @property {string} [list] The list's slug; without it the only list there is, or a new one named as the document is.
 * @property {boolean} [dry_run] Whether to report only, and change nothing.
 */

/**
 * Lists the members
 *
 * @typedef {object} GetAdminMembersQuery
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists the jobs of a queue
 *
 * @typedef {object} GetAdminQueuesNameJobsQuery
 * @property {StateWord} [state] Where they are in their life; `failed` by default.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists collections
 *
 * @typedef {object} GetCollectionsQuery
 * @property {Whose} [whose] Whose; everybody's by default.
 * @property {MemberId} [member] Only those of this member.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Gives a collection with a page of its resources
 *
 * @typedef {object} GetCollectionsIdQuery
 * @property {number} [limit] How many resources, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the resources before.
 */

/**
 * Sends what happens, as it happens
 *
 * @typedef {object} GetEventsQuery
 * @property {string} channels The channels, with commas: `suggestions:votes`, `notifications:{memberId}`, `resource:updates:{resourceId}`.
 * @property {string} [filter] The suggestions whose votes are wanted, with commas, at most 200; all that are open without it.
 * @property {string} [last_event_id] The `id` of the last event seen, where the header `Last-Event-ID` cannot be set.
 */

/**
 * Lists every change of state
 *
 * @typedef {object} GetLogQuery
 * @property {SuggestionId} [suggestion] Only those about this suggestion.
 * @property {ResourceId} [resource] Only those about this resource.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists one's notices
 *
 * @typedef {object} GetNotificationsQuery
 * @property {boolean} [unread] Only those that are not read yet.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists what is on the shelf
 *
 * @typedef {object} GetResourcesQuery
 * @property {string} [category] Only those placed in this category or further down: its slug or its id.
 * @property {string} [tag] Only those with this tag.
 * @property {string} [q] Only those that these words find, best first, as `/search` does; not together with the others.
 * @property {ResourceSort} [sort] In this order; `new` by default.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists what is viewed, saved and voted on most of late
 *
 * @typedef {object} GetResourcesPopularQuery
 * @property {number} [limit] How many, 20 by default.
 */

/**
 * Lists the versions of a resource
 *
 * @typedef {object} GetResourcesIdHistoryQuery
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Searches the shelf
 *
 * @typedef {object} GetSearchQuery
 * @property {string} q The words, the last one perhaps unfinished.
 * @property {number} [limit] How many, 20 by default.
 */

/**
 * Lists suggestions
 *
 * @typedef {object} GetSuggestionsQuery
 * @property {SuggestionStatus} [status] Only those that stand here; `open` and `approving` without it.
 * @property {SuggestionKind} [kind] Only those that ask for this.
 * @property {MemberId} [author] Only those of this member, whatever their status.
 * @property {ResourceId} [resource] Only those about this resource, whatever their status.
 * @property {SuggestionSort} [sort] In this order; `hot` by default.
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists the open suggestions with the highest scores
 *
 * @typedef {object} GetSuggestionsTopQuery
 * @property {number} [limit] How many, 20 by default.
 */

/**
 * Lists the comments under a suggestion
 *
 * @typedef {object} GetSuggestionsIdCommentsQuery
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

/**
 * Lists what one watches, or wants to hear nothing of
 *
 * @typedef {object} GetWatchesQuery
 * @property {number} [limit] How many rows, 20 by default.
 * @property {string} [cursor] The `next_cursor` of the page before.
 */

export {};
