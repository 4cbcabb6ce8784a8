"""The scopes an app may ask for. Any other one ends the login with invalid_scope.

Sources: the scope list of the API 2 description, API 1's pages for the rest. `read_revenue_accounts` and
`read_cost_centers` are missing from both on purpose: Cobot's description needs them but does not offer them.
"""

API_2_SCOPES = frozenset(
    "read_articles read_allocations read_booking_credits read_bookings read_built_in_email_customizations "
    "read_calendar_blockers read_check_ins read_contacts read_drop_in_passes read_drop_in_pass_templates "
    "read_discount_codes read_event_attendances read_event_messages read_events read_external_bookings "
    "read_external_resources read_invoices read_memberships read_teams read_membership_profiles "
    "read_navigation_links read_payment_methods read_published_membership_profiles read_networks "
    "read_products read_resource_categories read_resources read_single_page_apps read_space_profiles "
    "read_spaces read_space_billing_details read_space_payment_method read_space_subscriptions "
    "read_terms_approvals read_urls read_user write_bookings write_check_ins write_customers "
    "write_drop_in_pass_purchases write_drop_in_passes write_event_ticket_purchases "
    "write_event_attendances write_event_messages write_events write_external_bookings "
    "write_external_resources write_resources write_invoices write_invoice_reminders "
    "write_membership_profiles write_navigation_links write_payments write_single_page_apps "
    "write_space_billing_details write_space_payment_method write_terms_approvals".split()
)
API_1_SCOPES = frozenset(
    "read_activities write_activities read_subscriptions write_subscriptions read_accounting_codes "
    "read_invoice_settings read_custom_fields write_custom_fields read_plans write_memberships "
    "navigation".split()
)
ALL_SCOPES = API_1_SCOPES | API_2_SCOPES
