/** What webhooks tell: each kind's fields as Pusher documents them. */
export type News =
  | { readonly name: 'channel_occupied' | 'channel_vacated' | 'cache_miss'; readonly channel: string }
  | { readonly name: 'member_added' | 'member_removed'; readonly channel: string; readonly user_id: string }
  | {
      readonly name: 'client_event'
      readonly channel: string
      readonly event: string
      /** What the other clients got as `data`, as text. */
      readonly data: string
      readonly socket_id: string
      readonly user_id?: string
    }
  | { readonly name: 'subscription_count'; readonly channel: string; readonly subscription_count: number }
